/** The line above the pictures: how many, how long it took, and how they were found. */

import { byId } from "../dom.js";

const MEANINGS = {
  exact: "exact: compared with every picture",
  keyword: "keyword: by the words of captions and metadata",
};
const APPROXIMATE = "approximate: the index looked at the most promising pictures";

/**
 * Show the line.
 *
 * @param {number} count pictures on the page
 * @param {{took_ms: number, plan: string}|null} answer `null` for the gallery itself
 */
export function showSummary(count, answer) {
  const summary = byId("summary");
  byId("results-head").hidden = !count;
  byId("results-title").textContent = answer ? "Best first" : "In the gallery";
  const parts = answer ? [`${count} shown`, took(answer.took_ms), answer.plan] : [];
  summary.textContent = parts.join(" \u00b7 ");
  summary.title = answer ? MEANINGS[answer.plan] ?? APPROXIMATE : "";
}

function took(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
