/** Why a picture was found: what the score is made of, in each mode, and no more than is known. */

import { element } from "../dom.js";

/** Source: the constant of the service's fusion (docs/gallery.md): a place adds 1 / (60 + place). */
const RANK_CONSTANT = 60;
const SCORES = { vector: "Cosine", keyword: "BM25", hybrid: "Score" };

/**
 * Say the score of a hit, and its confidence where there is one.
 *
 * @param {{score: number|undefined, confidence: number|null|undefined}} hit
 * @param {string} mode in which it was found
 * @returns {HTMLElement[]} nothing for an item that was not searched for
 */
export function scoreParts({ score, confidence }, mode) {
  if (typeof score !== "number") return [];
  const parts = [element("span", {}, `${SCORES[mode]} `), element("b", {}, score.toFixed(4))];
  if (typeof confidence !== "number") return parts;
  const percent = `${Math.round(confidence * 100)} %`;
  return [...parts, element("span", {}, ", confidence "), element("b", {}, percent)];
}

/**
 * Explain a hit.
 *
 * @param {object} hit
 * @param {{query: string, image: File|null, mode: string}} question
 * @returns {HTMLElement[]} nothing for an item that was not searched for
 */
export function whyParts(hit, question) {
  if (typeof hit.score !== "number") return [];
  return [element("h3", {}, "Why this picture"), ...body(hit, question)];
}

function body(hit, { query, image, mode }) {
  if (hit.ranks) return ranks(hit.ranks);
  if (mode === "keyword") {
    return [hint("Its caption, id or metadata has words of the query; BM25 counts rare words more.")];
  }
  if (hit.terms?.length > 1) return [rows(hit.terms.map(termRow))];
  const what = image ? "your picture" : `\u201c${query}\u201d`;
  return [hint(`The query has one part: the score is the cosine between this picture and ${what}.`)];
}

function ranks({ vector, keyword }) {
  const parts = [rankRow("what it shows", vector), rankRow("its words", keyword)];
  return [rows(parts), hint("The score adds 1 / (60 + place) of both rankings.")];
}

function rankRow(term, place) {
  const share = place ? 1 / (RANK_CONSTANT + place) : 0;
  const isAmong = place !== null;
  return {
    term,
    share: share * (RANK_CONSTANT + 1),
    sign: "plus",
    value: isAmong ? `place ${place}` : "not found",
  };
}

function termRow({ term, contribution }, _, terms) {
  const largest = Math.max(...terms.map((one) => Math.abs(one.contribution)), 1e-9);
  const isMinus = contribution < 0;
  return {
    term,
    share: Math.abs(contribution) / largest,
    sign: isMinus ? "minus" : "plus",
    value: `${isMinus ? "\u2212" : "+"}${Math.abs(contribution).toFixed(3)}`,
  };
}

function rows(parts) {
  const items = parts.map(({ term, share, sign, value }) => {
    const bar = element("span", { class: "why-bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", share.toFixed(3));
    bar.dataset.sign = sign;
    return element("li", {}, element("bdi", {}, term), bar, element("b", {}, value));
  });
  return element("ul", {}, ...items);
}

function hint(text) {
  return element("p", { class: "hint" }, text);
}
