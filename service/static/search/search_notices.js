/** What the search view says when there are no pictures to show. */

const BUSY = new Set([429, 503, 504]);

/**
 * Return the notice of a search that found nothing.
 *
 * @param {{query: string, image: Blob|null, mode: string, filter: object|string|null}} shown
 * @param {{clearFilter: () => void, searchByVector: () => void, addPictures: () => void}} remedies
 * @returns {object} for `showNotice`
 */
export function emptyNotice({ query, image, mode, filter }, remedies) {
  if (filter) {
    const text = "No picture satisfies the filters and the query together.";
    const action = { label: "Remove the filters", run: remedies.clearFilter };
    return { tone: "empty", title: "Nothing found", text, action };
  }
  if (mode === "keyword") {
    const text = "No caption or metadata holds these words. Vectors find what is not written down.";
    const action = { label: "Search by vector", run: remedies.searchByVector };
    return { tone: "empty", title: "Nothing found", text, action };
  }
  if (query || image) {
    const text = "No picture of the gallery fits this query. Try fewer or other words.";
    return { tone: "empty", title: "Nothing found", text };
  }
  return {
    tone: "empty",
    title: "The gallery is empty",
    text: "Drop pictures on the view Add, or begin from a terminal, before the service is started:",
    code: "sightline add ~/Pictures",
    action: { label: "Add pictures", run: remedies.addPictures },
  };
}

/**
 * Return the notice of a search that failed.
 *
 * @param {import("./api.js").ApiError} error
 * @param {object|string|null} filter of the search
 * @param {{tryAgain: () => void, clearFilter: () => void}} remedies
 * @returns {object} for `showNotice`
 */
export function failureNotice(error, filter, { tryAgain, clearFilter }) {
  if (error.param === "filter" && typeof filter === "string") {
    const text = `The filter of this address is no JSON object: ${filter}`;
    const action = { label: "Remove the filter", run: clearFilter };
    return { title: titleOf(error.status), text, action };
  }
  return {
    title: titleOf(error.status),
    text: error.message,
    action: { label: "Try again", run: tryAgain },
  };
}

function titleOf(status) {
  if (!status) return "No answer";
  return BUSY.has(status) ? "The service is busy" : "The service could not answer this";
}
