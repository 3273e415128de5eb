/** The means over the judged queries: a card for each, with its interval and what it means. */

import { element } from "../dom.js";

const CARDS = [
  { name: "precision", title: "Precision", other: "judged_precision", words: "of the judged alone", hint: "How much of what comes first is right. A hit that nobody judged counts as wrong." },
  { name: "recall", title: "Recall", other: "condensed_recall", words: "without unjudged hits", hint: "How much of what is marked right comes first." },
  { name: "mean_reciprocal_rank", title: "MRR", other: "condensed_mean_reciprocal_rank", words: "without unjudged hits", hint: "1 over the place of the first right hit." },
  { name: "ndcg", title: "nDCG", other: "condensed_ndcg", words: "without unjudged hits", hint: "Right hits count more the earlier they come." },
  { name: "judged", title: "Judged", hint: "How much of what comes first has a mark at all. At 1 both readings agree." },
];

/**
 * Show the cards.
 *
 * @param {HTMLUListElement} list
 * @param {{k: number, mean: Object<string, {value: number|null, ci_low: number|null,
 *   ci_high: number|null, n: number}>}} quality
 */
export function showMeasures(list, { k, mean }) {
  list.replaceChildren(...CARDS.map((card) => measure(card, k, mean)));
}

/**
 * Write a share as people read it.
 *
 * @param {number|null|undefined} value
 * @returns {string}
 */
export function share(value) {
  return typeof value === "number" ? value.toFixed(2) : "\u2013";
}

function measure({ name, title, other, words, hint }, k, mean) {
  const metric = mean[`${name}@${k}`];
  const parts = [
    element("h3", {}, `${title}@${k}`),
    element("p", { class: "measure-value" }, share(metric?.value)),
    bar(metric),
    element("p", { class: "measure-interval" }, interval(metric)),
  ];
  if (other) {
    const value = share(mean[`${other}@${k}`]?.value);
    parts.push(element("p", { class: "measure-other" }, element("b", {}, value), ` ${words}`));
  }
  parts.push(element("p", { class: "hint" }, hint));
  return element("li", { class: "measure" }, ...parts);
}

function bar(metric) {
  const track = element("span", { class: "measure-bar", "aria-hidden": "true" });
  if (typeof metric?.value !== "number") return track;
  const { value, ci_low: low, ci_high: high } = metric;
  track.style.setProperty("--value", value.toFixed(4));
  if (typeof low === "number") {
    const span = element("span", { class: "measure-span" });
    span.style.setProperty("--low", low.toFixed(4));
    span.style.setProperty("--high", high.toFixed(4));
    track.append(span);
  }
  return track;
}

function interval(metric) {
  if (typeof metric?.ci_low !== "number") return metric?.n === 1 ? "one query: no interval" : "\u00a0";
  const { ci_low: low, ci_high: high, n } = metric;
  return `${low.toFixed(2)} to ${high.toFixed(2)} \u00b7 ${n} queries`;
}
