/** The line in the ranking below which a hit is probably not what was asked for. */

import { element } from "../dom.js";

/**
 * Return where the line stands: above the first hit whose confidence is under the threshold.
 *
 * @param {object[]} hits the best first
 * @param {number} threshold from 0 to 1
 * @returns {number} -1 where no hit is under it, or where hits have no confidence
 */
export function cutoffPlace(hits, threshold) {
  return hits.findIndex((hit) => hasConfidence(hit) && hit.confidence < threshold);
}

/**
 * Say whether a hit has a confidence.
 *
 * @param {object} hit
 * @returns {boolean}
 */
export function hasConfidence({ confidence }) {
  return typeof confidence === "number";
}

/**
 * Create the line.
 *
 * @param {number} place of the hit below it
 * @returns {HTMLLIElement}
 */
export function cutoffLine(place) {
  const text = place ? "Below this, probably not" : "Probably none of these";
  return element("li", { class: "cutoff" }, element("span", {}, text));
}
