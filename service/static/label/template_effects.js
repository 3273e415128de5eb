/** What other templates do to the same pictures: one question for each template set. */

import { isSuperseded } from "../api.js";
import { askPatiently, batchesOf } from "./batches.js";
import { classify } from "./label_api.js";
import { sourcesOf } from "./picture.js";

/** Pictures that are compared; more would take long and tell little more. */
export const MOST_COMPARED = 24;

/**
 * What one template set does.
 *
 * @typedef {{winners: Map<import("./picture.js").Picture, {label: string, score: number}>,
 *   meanScore: number}} Effect
 */

/**
 * Choose the pictures to compare on: those whose label is known first, of each label as many.
 *
 * @param {import("./picture.js").Picture[]} pictures
 * @returns {import("./picture.js").Picture[]}
 */
export function comparedPictures(pictures) {
  const readable = pictures.filter(({ result }) => result?.status !== "error");
  const seen = new Map();
  const placed = readable.map((picture) => {
    const { truth } = picture;
    const place = seen.get(truth) ?? 0;
    seen.set(truth, place + 1);
    return { picture, rank: typeof truth === "string" ? place : place + readable.length };
  });
  // Sorting keeps the order of equals, so each label gives its first picture, then its second.
  placed.sort((one, other) => one.rank - other.rank);
  return placed.slice(0, MOST_COMPARED).map(({ picture }) => picture);
}

/**
 * Ask for the best label of each picture under a template set, by the words alone: what was fitted
 * belongs to the set's own templates, so scores with it could not be compared.
 *
 * @param {import("./picture.js").Picture[]} pictures
 * @param {import("./label_api.js").Question} question
 * @param {AbortSignal} signal
 * @returns {Promise<Effect>}
 */
export async function effectOf(pictures, question, signal) {
  const plain = { ...question, topK: 1, useHead: false, abstain: {}, alpha: null, temperature: 1 };
  const winners = new Map();
  for (const batch of batchesOf(pictures, MOST_COMPARED)) {
    const { ordered } = sourcesOf(batch);
    const ask = (some) => classify(sourcesOf(some), plain, signal);
    const { results } = await askPatiently(ordered, ask, signal);
    results.forEach((result, place) => {
      if (result.status === "ok") winners.set(ordered[place], result.labels[0]);
    });
  }
  const scores = [...winners.values()].map(({ score }) => score);
  const sum = scores.reduce((total, score) => total + score, 0);
  return { winners, meanScore: scores.length ? sum / scores.length : 0 };
}

/**
 * Ask for the effect of many template sets, the shortest first.
 *
 * @param {{name: string|null, number: number}[]} sets
 * @param {(set: object) => Promise<Effect>} ask
 * @param {(set: object, effect: Effect|null, error: Error|null) => void} onEffect
 * @returns {Promise<void>} rejected where the run was stopped or the service is gone
 */
export async function compareSets(sets, ask, onEffect) {
  for (const set of sets.toSorted((one, other) => one.number - other.number)) {
    try {
      onEffect(set, await ask(set), null);
    } catch (error) {
      // Too many sentences for one request says something of this set alone.
      if (isSuperseded(error) || !(error.status >= 400 && error.status < 500)) throw error;
      onEffect(set, null, error);
    }
  }
}

/**
 * Return the pictures whose winner is another one.
 *
 * @param {Effect} base
 * @param {Effect} other
 * @returns {{picture: import("./picture.js").Picture, before: object, after: object}[]}
 */
export function changesBetween(base, other) {
  const found = [];
  for (const [picture, after] of other.winners) {
    const before = base.winners.get(picture);
    if (before && before.label !== after.label) found.push({ picture, before, after });
  }
  return found;
}

/**
 * Count how many pictures get the right label, among those whose label is known.
 *
 * @param {Effect} effect
 * @param {string[]} labels by which to judge
 * @returns {{right: number, known: number}}
 */
export function rightOf({ winners }, labels) {
  const known = [...winners].filter(([one]) => typeof one.truthAmong(labels) === "string");
  const right = known.filter(([picture, { label }]) => picture.truth === label).length;
  return { right, known: known.length };
}
