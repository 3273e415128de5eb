/** The search view: from the address to pictures on the page. */

import { getItem, isSuperseded, listItems, search } from "./api.js";
import { Details } from "./details.js";
import { byId, showNotice } from "./dom.js";
import { Grid } from "./grid.js";
import { Pager } from "./pager.js";
import { QueryBox } from "./query_box.js";
import { idTerm, parseTerms } from "./terms.js";

const PAGE_SIZE = 40;
const EXACT = "exact: compared with every picture";
const APPROXIMATE = "approximate: the index looked at the most promising pictures";

/** Search box, grid and details, kept in step with the address. */
export class SearchView {
  /** @param {import("./route.js").Router} router */
  constructor(router) {
    this.router = router;
    this.images = new Map();
    this.shownKey = null;
    this.shown = { query: "", image: null };
    this.element = byId("search-view");
    this.results = byId("results");
    this.notice = byId("search-notice");
    this.box = new QueryBox((request) => this.#ask(request));
    this.grid = new Grid(byId("grid"), {
      onOpen: (id) => this.#open(id),
      onMore: (id) => this.#moreLike(id),
      onLeave: () => this.box.focus(),
    });
    this.pager = new Pager({
      area: byId("pager"),
      button: byId("more"),
      message: byId("pager-error"),
    });
    this.details = new Details({
      onStep: (id) => this.#open(id),
      onClose: () => this.#close(),
      onMore: (id) => this.#moreLike(id),
      onLess: (id) => this.#lessLike(id),
    });
    for (const button of document.querySelectorAll("#examples button")) {
      button.addEventListener("click", () => this.#go(button.dataset.query));
    }
  }

  /** @returns {string} what dropping a picture here does */
  get dropText() {
    return "Drop to search with this picture";
  }

  /**
   * Show what the address says.
   *
   * @param {import("./route.js").Route} route
   * @param {{image?: number, isTyping?: boolean}} state
   */
  show(route, state) {
    const image = this.images.get(state.image) ?? null;
    const key = JSON.stringify([route.query, image ? state.image : null]);
    this.box.show(route.query, image);
    if (key !== this.shownKey) {
      this.shownKey = key;
      this.shown = { query: route.query, image };
      this.#load(state.isTyping ?? false);
    }
    this.#showDetails(route.item);
  }

  /**
   * Search with a picture.
   *
   * @param {File[]} files the first counts
   */
  takeImages(files) {
    this.box.takeImage(files[0]);
  }

  /** Put the keyboard into the search box. */
  focusBox() {
    this.box.focus();
  }

  #ask({ query, image, isTyping }) {
    const isSame = query === this.shown.query && image === this.shown.image;
    if (isSame && isTyping) return;
    // Letters typed in a row make one step to go back to, not one each.
    const replace = isSame || Boolean(isTyping && this.router.state.isTyping);
    if (isSame) this.shownKey = null;
    this.#go(query, { image, isTyping, replace });
  }

  #go(query, { image = null, isTyping = false, replace = false } = {}) {
    const state = { isTyping };
    if (image) state.image = this.#keep(image);
    this.router.go({ query }, { replace, state });
    window.scrollTo({ top: 0 });
  }

  #keep(image) {
    for (const [key, kept] of this.images) if (kept === image) return key;
    // A key from the clock cannot meet one that an earlier load of the page left in the history.
    const key = Date.now();
    this.images.set(key, image);
    return key;
  }

  #moreLike(id) {
    this.#go(idTerm(id, 1));
  }

  #lessLike(id) {
    const { query, image } = this.shown;
    this.#go(`${query} ${idTerm(id, -1)}`.trim(), { image });
  }

  async #load(isTyping) {
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const isAsked = this.#isAsked();
    this.element.classList.toggle("is-asked", isAsked);
    document.title = isAsked ? `${this.shown.query || "Like a picture"} - Sightline` : "Sightline";
    this.results.setAttribute("aria-busy", "true");
    this.pager.stop();
    try {
      await this.#showPage(null, signal);
      showNotice(this.notice, this.#emptyNotice());
    } catch (error) {
      if (isSuperseded(error) || signal.aborted) return;
      if (!(isTyping && error.status >= 400 && error.status < 500)) this.#fail(error);
    }
    this.results.setAttribute("aria-busy", "false");
  }

  async #showPage(cursor, signal) {
    const isAsked = this.#isAsked();
    const page = isAsked ? await this.#search(cursor, signal) : await this.#browse(cursor, signal);
    const query = this.shown.query;
    const isLast = !page.cursor;
    await this.grid.append(page.hits, { query, isLast, signal, replace: !cursor });
    if (!cursor) this.pager.start(page.cursor, (next) => this.#showPage(next, signal));
    this.#summarise(page, isAsked);
    return page.cursor;
  }

  #search(cursor, signal) {
    const explain = parseTerms(this.shown.query).length + Boolean(this.shown.image) > 1;
    return search({ ...this.shown, k: PAGE_SIZE, cursor, explain, signal });
  }

  async #browse(cursor, signal) {
    const { items, cursor: next } = await listItems({ limit: PAGE_SIZE, cursor, signal });
    return { hits: items, cursor: next };
  }

  #isAsked() {
    return Boolean(this.shown.query || this.shown.image);
  }

  #summarise({ took_ms: tookMs, plan }, isAsked) {
    const summary = byId("summary");
    const count = this.grid.size;
    byId("results-head").hidden = !count;
    byId("results-title").textContent = isAsked ? "Best first" : "In the gallery";
    summary.textContent = isAsked ? `${count} shown \u00b7 ${took(tookMs)} \u00b7 ${plan}` : "";
    const meaning = plan === "exact" ? EXACT : APPROXIMATE;
    summary.title = isAsked ? meaning : "";
  }

  #emptyNotice() {
    if (this.grid.hits.length) return null;
    if (this.#isAsked()) {
      const text = "No picture of the gallery fits this query. Try fewer or other words.";
      return { tone: "empty", title: "Nothing found", text };
    }
    return {
      tone: "empty",
      title: "The gallery is empty",
      text:
        "Stop the service, add your pictures from a terminal, and start it again; " +
        "or send them to POST /v1/items while it runs.",
      code: "sightline add ~/Pictures",
    };
  }

  #fail(error) {
    this.grid.clear();
    byId("results-head").hidden = true;
    showNotice(this.notice, {
      title: error.status ? "The service could not answer this" : "No answer",
      text: error.message,
      action: { label: "Try again", run: () => this.#load(false) },
    });
  }

  #open(id) {
    const { state } = this.router;
    const isOpen = this.details.id !== null;
    const kept = { ...state, isTyping: false, wasOpenedHere: isOpen ? state.wasOpenedHere : true };
    this.router.go({ query: this.shown.query, item: id }, { replace: isOpen, state: kept });
  }

  #close() {
    if (this.router.state.wasOpenedHere) window.history.back();
    else this.router.go({ query: this.shown.query }, { replace: true, state: this.router.state });
  }

  async #showDetails(id) {
    if (id === this.details.id) return;
    if (!id) {
      const last = this.details.id;
      this.details.hide();
      if (last) this.grid.focus(last);
      return;
    }
    const { hit, previous, next } = this.grid.around(id);
    const canPush = this.#isAsked();
    this.details.show(id, { hit, previous, next, canPush });
    if (hit) return;
    try {
      const item = await getItem(id);
      if (this.details.id === id) this.details.show(id, { hit: item, canPush });
    } catch (error) {
      if (this.details.id === id) this.details.fail(error);
    }
  }
}

function took(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
