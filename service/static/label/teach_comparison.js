/** The same pictures with and without what was learned. */

import { askPatiently, batchesOf } from "./batches.js";
import { classify } from "./label_api.js";
import { sourcesOf } from "./picture.js";

/**
 * What a picture was labelled before and after.
 *
 * @typedef {{picture: import("./picture.js").Picture, before: object, after: object}} Change
 */

/**
 * Label the pictures whose label is known by the words alone and with the examples.
 *
 * @param {import("./picture.js").Picture[]} pictures
 * @param {import("./label_api.js").Question} question
 * @param {{fits: object, signal: AbortSignal}} options
 * @returns {Promise<Change[]>} none where no head is in force
 */
export async function compareUses(pictures, question, { fits, signal }) {
  const known = pictures.filter((one) => typeof one.truth === "string" && one.result?.status === "ok");
  if (!fits.head || fits.head.kind === "text" || !known.length) return [];
  const changes = [];
  for (const batch of batchesOf(known)) {
    const { ordered } = sourcesOf(batch);
    const before = await bestLabels(ordered, { ...question, useHead: false }, signal);
    const after = await bestLabels(ordered, { ...question, useHead: true }, signal);
    ordered.forEach((picture, place) => {
      if (!before[place] || !after[place]) return;
      changes.push({ picture, before: before[place], after: after[place] });
    });
  }
  return changes;
}

/** Return the best label of each picture; the fitted rules have no say here. */
async function bestLabels(ordered, question, signal) {
  const plain = { ...question, templateSet: null, topK: 1, alpha: null, abstain: {} };
  const ask = (some) => classify(sourcesOf(some), plain, signal);
  const { results } = await askPatiently(ordered, ask, signal);
  return results.map((result) => (result.status === "ok" ? result.labels[0] : null));
}
