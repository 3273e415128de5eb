/** The judged queries, one a row: what was asked, what is marked, what is found. */

import { byId, element, icon } from "../dom.js";
import { routeAddress } from "../route.js";
import { filterParts } from "../search/filter_words.js";
import { share } from "./measures.js";

const COLUMNS = 8;

/** Rows with a link to the search, and a way to take the marks back. */
export class JudgedTable {
  /** @param {{onForget: (query: object) => void}} actions */
  constructor({ onForget }) {
    this.onForget = onForget;
    this.rows = byId("judged-rows");
    this.asked = null;
  }

  /**
   * Show the queries.
   *
   * @param {{k: number, queries: object[]}} quality
   */
  show({ k, queries }) {
    byId("judged-p").textContent = `P@${k}`;
    byId("judged-r").textContent = `R@${k}`;
    this.rows.replaceChildren(...queries.map((query) => this.#row(query, k)));
  }

  #row(query, k) {
    const cell = (text) => element("td", { class: "number" }, String(text));
    const value = (name) => cell(share(query.values[`${name}@${k}`]));
    const values = query.error
      ? [element("td", { class: "row-problem", colSpan: 4 }, query.error)]
      : [value("precision"), value("judged_precision"), value("recall"), value("judged")];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, link(query), ...facts(query)),
      cell(query.right),
      cell(query.wrong),
      ...values,
      element("td", { class: "row-actions" }, this.#forgetButton(query)),
    );
  }

  /** Marks are work: the first press asks, in the row itself. */
  #forgetButton(query) {
    const name = `Take back all marks of: ${query.query}`;
    const onclick = (event) => this.#ask(event.currentTarget.closest("tr"), query);
    const properties = { type: "button", class: "round", "aria-label": name, title: name, onclick };
    return element("button", properties, icon("close"));
  }

  #ask(row, query) {
    const before = [...row.children];
    const count = query.right + query.wrong;
    const keep = () => {
      row.replaceChildren(...before);
      row.querySelector(".row-actions button").focus();
    };
    const no = element("button", { type: "button", class: "quiet small", onclick: keep }, "Keep");
    const onclick = () => this.onForget(query);
    const yes = element("button", { type: "button", class: "quiet small danger", onclick }, "Take back");
    const marks = count === 1 ? "1 mark" : `${count} marks`;
    const text = element("span", {}, `Take back ${marks} of `, element("b", { dir: "auto" }, query.query), "?");
    row.replaceChildren(element("td", { colSpan: COLUMNS }, element("span", { class: "row-question" }, text, yes, no)));
    no.focus();
  }
}

function link({ query, mode, filter }) {
  const href = routeAddress({ query, mode, filter, judge: true });
  return element("a", { href, dir: "auto" }, query);
}

function facts({ mode, filter }) {
  const texts = mode === "vector" ? [] : [mode];
  for (const { field, text } of filterParts(filter)) texts.push(field ? `${field}: ${text}` : text);
  return texts.map((text) => element("span", { class: "row-fact" }, text));
}
