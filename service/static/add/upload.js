/** One picture on its way into the gallery, and what became of it. */

/** Where a picture stands, with the word for it. */
export const STATES = {
  waiting: "Waiting",
  sending: "Sending",
  created: "Added",
  updated: "Updated",
  unchanged: "Already there",
  error: "Refused",
  stopped: "Not sent",
};

/** States that a picture has left the queue with. */
export const DONE = ["created", "updated", "unchanged", "error", "stopped"];

/**
 * @typedef {{path: string, file: File, described: {id?: string, caption?: string,
 *   metadata?: object}, state: keyof typeof STATES, id: string|null,
 *   problem: {message: string, code: string}|null}} Upload
 */

/**
 * Return a picture that waits for its turn.
 *
 * @param {{path: string, file: File, described?: object}} found
 * @returns {Upload}
 */
export function newUpload({ path, file, described = {} }) {
  return { path, file, described, state: "waiting", id: null, problem: null };
}

/**
 * Say why a picture need not even be sent.
 *
 * @param {Upload} upload
 * @param {{image_bytes: number}} limits of the service
 * @returns {{message: string, code: string}|null}
 */
export function problemBefore({ file }, limits) {
  if (file.size <= limits.image_bytes) return null;
  return {
    message: `the picture has ${size(file.size)}, the limit is ${size(limits.image_bytes)}; resize or compress it`,
    code: "image_too_large",
  };
}

/**
 * Return a number of bytes for people.
 *
 * @param {number} bytes
 * @returns {string}
 */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  const [value, unit] = bytes < 1e9 ? [bytes / 1e6, "MB"] : [bytes / 1e9, "GB"];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
