/** Filling parts of the page again and again: what did not change is not touched. */

import { byId, element } from "../dom.js";

/**
 * Set the text of a node.
 *
 * @param {Element} node
 * @param {string} text
 */
export function fillText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set the number of a card, and the small words behind it.
 *
 * @param {string} id
 * @param {string} number
 * @param {string} words
 */
export function fillNumber(id, number, words) {
  const place = byId(id);
  if (!place.firstElementChild) place.append(element("span"), " ", element("small"));
  fillText(place.firstElementChild, number);
  fillText(place.lastElementChild, words);
}

/**
 * Fill a list of terms and values.
 *
 * @param {HTMLElement} list a `dl`
 * @param {[string, string][]} facts
 */
export function fillFacts(list, facts) {
  const terms = facts.map(([term]) => term).join("\n");
  if (list.dataset.terms !== terms) {
    list.dataset.terms = terms;
    const rows = facts.map(([term]) => element("div", {}, element("dt", {}, term), element("dd", { dir: "auto" })));
    list.replaceChildren(...rows);
  }
  facts.forEach(([, value], place) => fillText(list.children[place].lastElementChild, value));
}

/**
 * Fill the body of a table, or a list.
 *
 * @param {HTMLElement} body
 * @param {T[]} rows
 * @param {(row: T) => HTMLElement} make
 * @template T
 */
export function fillRows(body, rows, make) {
  const text = JSON.stringify(rows);
  if (body.rows_shown === text) return;
  body.rows_shown = text;
  body.replaceChildren(...rows.map(make));
}

/**
 * Return a bar that shows parts of a whole.
 *
 * @param {{name: string, share: number}[]} parts
 * @returns {HTMLElement} decoration: the numbers stand beside it
 */
export function partsBar(parts) {
  const bar = element("div", { class: "parts", "aria-hidden": "true" });
  for (const { name, share } of parts) {
    const part = element("span", { class: `part-${name}` });
    part.style.setProperty("--share", Math.max(0, Math.min(1, share)).toFixed(4));
    bar.append(part);
  }
  return bar;
}
