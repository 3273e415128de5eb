/** The line in the ranking below which a hit is probably not what was asked for. */

import { element } from "../dom.js";

/**
 * Draw the line above the first picture whose confidence is under the threshold.
 *
 * @param {HTMLOListElement} list of tiles, the best first
 * @param {object[]} hits of the tiles, in the same order
 * @param {number} threshold from 0 to 1
 * @returns {boolean} whether the hits have a confidence, so that a line has a meaning
 */
export function drawCutoff(list, hits, threshold) {
  for (const old of list.querySelectorAll(".cutoff, .row-end")) old.remove();
  if (!hits.some(hasConfidence)) return false;
  const place = hits.findIndex((hit) => hasConfidence(hit) && hit.confidence < threshold);
  const tiles = [...list.querySelectorAll(".tile")];
  tiles.forEach((tile, index) => {
    tile.classList.toggle("is-unlikely", place >= 0 && index >= place);
  });
  if (place < 0 || !tiles[place]) return true;
  const text = place ? "Below this, probably not" : "Probably none of these";
  // The row above keeps its height, as the last one of the list does.
  const rowEnd = element("li", { class: "row-end", "aria-hidden": "true" });
  const line = element("li", { class: "cutoff" }, element("span", {}, text));
  if (place) tiles[place].before(rowEnd, line);
  else tiles[place].before(line);
  return true;
}

function hasConfidence({ confidence }) {
  return typeof confidence === "number";
}
