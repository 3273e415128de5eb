/** The bars of an answer: a score for each label, or their places while it is on its way. */

import { element } from "../dom.js";
import { percent } from "./verdict.js";

/** Labels of a card before it is asked for more. */
export const SHOWN_AT_FIRST = 5;

/**
 * Return a bar for each label.
 *
 * @param {object[]} labels as the service gave them, best first
 * @param {{winner: string|null, truth: string|null|undefined}} options
 * @returns {HTMLElement}
 */
export function barsOf(labels, { winner, truth }) {
  const rows = labels.map((label) =>
    barRow(label, { isBest: label.label === winner, isTrue: label.label === truth }),
  );
  return element("ol", { class: "bars" }, ...rows);
}

/**
 * Return what keeps the place of an answer.
 *
 * @param {number} labels how many the answer will have
 * @returns {HTMLElement[]}
 */
export function placeholder(labels) {
  const blank = "\u00a0";
  const row = () => {
    const track = element("span", { class: "bar-track" });
    return element("li", {}, element("span", {}, blank), track, element("span", {}, blank));
  };
  const bars = Array.from({ length: Math.min(labels, SHOWN_AT_FIRST) }, row);
  return [
    element("div", { class: "label-head" }, element("p", { class: "label-verdict" }, blank)),
    element("ol", { class: "bars is-waiting", "aria-hidden": "true" }, ...bars),
  ];
}

/**
 * Return the labels that hold the right one as often as was asked for.
 *
 * @param {string[]|null} labels `null`: nobody asked
 * @returns {HTMLElement|null}
 */
export function predictionSet(labels) {
  if (!labels) return null;
  const title = "Labels that hold the right one as often as you asked for";
  const text = labels.length ? labels.join(", ") : "no label";
  return element("p", { class: "prediction-set", title }, element("span", {}, "In the set: "), text);
}

function barRow({ label, score, cosine, background }, { isBest, isTrue }) {
  const bar = element("span", { class: "bar-track", "aria-hidden": "true" }, element("span"));
  bar.firstElementChild.style.setProperty("--share", Math.max(0, Math.min(1, score)).toFixed(4));
  const title = `score ${score.toFixed(4)}, cosine ${cosine.toFixed(4)}`;
  const name = element("span", { class: "bar-label", dir: "auto" }, label);
  if (background) name.append(element("small", {}, " background"));
  const value = element("span", { class: "bar-value" }, percent(score));
  const row = element("li", { title }, name, bar, value);
  row.classList.toggle("is-best", isBest);
  row.classList.toggle("is-true", isTrue);
  return row;
}

