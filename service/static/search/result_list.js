/** The pictures that answer one question: page after page, and what is said when there are none. */

import { isSuperseded, listItems, search } from "../api.js";
import { byId, showNotice } from "../dom.js";
import { SERVICE_FOUND } from "../status.js";
import { KeptLists } from "./kept_lists.js";
import { Pager } from "./pager.js";
import { emptyNotice, failureNotice } from "./search_notices.js";
import { showSummary } from "./search_summary.js";
import { parseTerms } from "./terms.js";

const FIRST_PAGE = 40;
/** Those who scroll far get larger pages, so that the list keeps ahead of them. */
const LARGEST_PAGE = 200;

/**
 * What is asked.
 *
 * @typedef {{query: string, image: File|null, mode: string, filter: object|string|null}} Question
 */

/** Asks the service and fills the grid. */
export class ResultList {
  /**
   * @param {import("./grid.js").Grid} grid
   * @param {{onPage: () => void, clearFilter: () => void, searchByVector: () => void,
   *   addPictures: () => void}} actions
   *   `onPage` runs when pictures have come; the others are ways out of an empty list
   */
  constructor(grid, actions) {
    this.grid = grid;
    this.actions = actions;
    this.key = null;
    this.answer = null;
    this.hasFailed = false;
    this.lists = new KeptLists();
    this.area = byId("results");
    this.notice = byId("search-notice");
    const parts = { area: byId("pager"), button: byId("more"), message: byId("pager-error") };
    this.pager = new Pager(parts);
    document.addEventListener(SERVICE_FOUND, () => {
      if (this.hasFailed) this.#load(false);
    });
  }

  /** @returns {boolean} whether there is a query, so that the list is a ranking */
  get isAsked() {
    return Boolean(this.question.query || this.question.image);
  }

  /**
   * Show the pictures of a question.
   *
   * @param {Question} question
   * @param {{key: string, isTyping?: boolean, isReturn?: boolean}} options `key` names the
   *   question; after the back button its pictures are where they were
   */
  show(question, { key, isTyping = false, isReturn = false }) {
    this.#keep();
    this.question = question;
    this.key = key;
    const kept = isReturn ? this.lists.take(key) : null;
    if (kept) this.#restore(kept);
    else this.#load(isTyping);
  }

  /** Show more pictures now, where there are more. */
  more() {
    this.pager.next();
  }

  #begin() {
    this.request?.abort();
    this.request = new AbortController();
    this.hasFailed = false;
    this.pager.stop();
    return this.request.signal;
  }

  #keep() {
    if (!this.answer || this.area.getAttribute("aria-busy") === "true") return;
    const { answer, pager } = this;
    this.lists.keep(this.key, { ...this.grid.kept(), answer, cursor: pager.cursor });
  }

  #restore({ answer, cursor, top, ...list }) {
    const signal = this.#begin();
    this.area.setAttribute("aria-busy", "false");
    this.grid.restore(list);
    this.#complete(answer);
    this.pager.start(cursor, (next) => this.#showPage(next, signal));
    this.grid.scrollTo(top);
  }

  async #load(isTyping) {
    const signal = this.#begin();
    this.answer = null;
    this.area.setAttribute("aria-busy", "true");
    try {
      await this.#showPage(null, signal);
    } catch (error) {
      if (isSuperseded(error) || signal.aborted) return;
      // A query that is still being typed may well be wrong yet.
      if (!(isTyping && error.status >= 400 && error.status < 500)) this.#fail(error);
    }
    this.area.setAttribute("aria-busy", "false");
  }

  async #showPage(cursor, signal) {
    const k = cursor ? Math.min(LARGEST_PAGE, this.grid.hits.length) : FIRST_PAGE;
    const page = await this.#ask(k, cursor, signal);
    await this.grid.append(page.hits, { isLast: !page.cursor, signal, replace: !cursor });
    if (!cursor) this.pager.start(page.cursor, (next) => this.#showPage(next, signal));
    this.#complete(page);
    return page.cursor;
  }

  async #ask(k, cursor, signal) {
    const { query, image, mode, filter } = this.question;
    if (this.isAsked) {
      const explain = mode === "vector" && parseTerms(query).length + Boolean(image) > 1;
      return search({ query, image, mode, filter, k, cursor, explain, signal });
    }
    const { items, cursor: next } = await listItems({ limit: k, cursor, filter, signal });
    return { hits: items, cursor: next };
  }

  /** What stands around the pictures. */
  #complete(answer) {
    this.answer = answer;
    this.actions.onPage();
    showNotice(this.notice, this.grid.hits.length ? null : emptyNotice(this.question, this.actions));
    showSummary(this.grid.size, this.isAsked ? answer : null);
  }

  #fail(error) {
    this.hasFailed = error.status === 0;
    this.grid.clear();
    byId("results-head").hidden = true;
    const { clearFilter } = this.actions;
    const remedies = { tryAgain: () => this.#load(false), clearFilter };
    showNotice(this.notice, failureNotice(error, this.question.filter, remedies));
  }
}
