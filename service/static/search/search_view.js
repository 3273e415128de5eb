/** The search view: from the address to pictures on the page. */

import { getItem, isSuperseded, listItems, search } from "../api.js";
import { Details } from "./details.js";
import { byId, showNotice } from "../dom.js";
import { withCondition } from "./filters.js";
import { Grid } from "./grid.js";
import { HitMarks } from "./hit_marks.js";
import { KeptLists } from "./kept_lists.js";
import { Pager } from "./pager.js";
import { QueryBox } from "./query_box.js";
import { QueryImages } from "./query_images.js";
import { routeAddress } from "../route.js";
import { emptyNotice, failureNotice } from "./search_notices.js";
import { SearchOptions } from "./search_options.js";
import { showSummary } from "./search_summary.js";
import { SERVICE_FOUND } from "../status.js";
import { idTerm, parseTerms } from "./terms.js";

const FIRST_PAGE = 40;
/** Those who scroll far get larger pages, so that the list keeps ahead of them. */
const LARGEST_PAGE = 200;

/** Search box, grid and details, kept in step with the address. */
export class SearchView {
  /** @param {import("./route.js").Router} router */
  constructor(router) {
    this.router = router;
    this.images = new QueryImages();
    this.shownKey = null;
    this.shown = { query: "", image: null, mode: "vector", filter: null };
    this.hasFailed = false;
    this.element = byId("search-view");
    this.results = byId("results");
    this.notice = byId("search-notice");
    this.box = new QueryBox((request) => this.#ask(request));
    this.lists = new KeptLists();
    this.marks = new HitMarks();
    this.grid = new Grid(byId("grid"), {
      marks: this.marks,
      addressOf: (item) => routeAddress({ ...this.#route(), item }),
      onOpen: (id) => this.#open(id),
      onMore: (id) => this.#moreLike(id),
      onLess: (id) => this.#lessLike(id),
      onLeave: () => this.box.focus(),
    });
    this.options = new SearchOptions({
      onChange: (change) => this.#go({ ...change, item: null }),
      onCutoff: (cutoff, isFinal) => this.#moveCutoff(cutoff, isFinal),
    });
    this.pager = new Pager({
      area: byId("pager"),
      button: byId("more"),
      message: byId("pager-error"),
    });
    this.details = new Details({
      marks: this.marks,
      onStep: (id) => this.#open(id),
      onClose: () => this.#close(),
      onMore: (id) => this.#moreLike(id),
      onLess: (id) => this.#lessLike(id),
      onFilter: (field, value) => this.#onlyWith(field, value),
    });
    document.addEventListener(SERVICE_FOUND, () => {
      if (this.hasFailed) this.#load(false);
    });
    for (const button of document.querySelectorAll("#examples button")) {
      button.addEventListener("click", () => this.#go({ query: button.dataset.query }));
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
   * @param {{image?: number, isTyping?: boolean, isReturn?: boolean}} state `isReturn` after the
   *   back or forward button
   */
  show(route, state) {
    const image = this.images.get(state.image);
    const { query, mode, filter, cutoff } = route;
    const key = JSON.stringify([query, mode, filter, image ? state.image : null]);
    this.cutoff = cutoff;
    this.box.show(query, image);
    this.options.show(route);
    if (key !== this.shownKey) {
      this.#keepList();
      this.shownKey = key;
      this.shown = { query, image, mode, filter };
      this.marks.start(this.shown);
      const kept = state.isReturn ? this.lists.take(key) : null;
      if (kept) this.#restore(kept);
      else this.#load(state.isTyping ?? false);
    } else if (this.isAway && state.isReturn) this.grid.restore(this.grid.kept());
    this.isAway = false;
    this.grid.drawCutoff(cutoff);
    this.#showDetails(route.item);
  }

  /** Another view takes the place of this one. */
  hide() {
    this.isAway = true;
  }

  /**
   * Search with a picture.
   *
   * @param {File[]} files the first counts
   */
  takeImages(files) {
    this.box.takeImage(files[0]);
  }

  /** Put the keyboard on the first picture in sight. */
  focusPictures() {
    this.grid.focus();
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
    this.#go({ query, image }, { isTyping, replace });
  }

  #go(change, { isTyping = false, replace = false } = {}) {
    const { image, ...route } = { ...this.shown, cutoff: this.cutoff, ...change };
    const state = { isTyping };
    if (image) state.image = this.images.keep(image);
    this.router.go(route, { replace, state });
    window.scrollTo({ top: 0 });
  }

  #moreLike(id) {
    // Items are found by their vectors; the words of a keyword search play no part.
    this.#go({ query: idTerm(id, 1), image: null, mode: "vector" });
  }

  #lessLike(id) {
    if (!this.#isAsked()) return;
    const { query, mode } = this.shown;
    const isKeyword = mode === "keyword";
    this.#go({ query: `${query} ${idTerm(id, -1)}`.trim(), mode: isKeyword ? "vector" : mode });
  }

  #onlyWith(field, value) {
    this.#go({ filter: withCondition(this.shown.filter, field, value) });
  }

  #moveCutoff(cutoff, isFinal) {
    this.cutoff = cutoff;
    this.grid.drawCutoff(cutoff);
    if (isFinal) this.router.go(this.#route(), { replace: true, state: this.router.state });
  }

  /** @returns {Partial<import("./route.js").Route>} of what is shown, without an open picture */
  #route() {
    const { image, ...route } = this.shown;
    return { ...route, cutoff: this.cutoff };
  }

  #begin() {
    this.request?.abort();
    this.request = new AbortController();
    const isAsked = this.#isAsked();
    this.element.classList.toggle("is-asked", isAsked);
    this.hasFailed = false;
    document.title = isAsked ? `${this.shown.query || "Like a picture"} - Sightline` : "Sightline";
    this.pager.stop();
    return this.request.signal;
  }

  #keepList() {
    if (!this.answer || this.results.getAttribute("aria-busy") === "true") return;
    const { cursor } = this.pager;
    this.lists.keep(this.shownKey, { ...this.grid.kept(), answer: this.answer, cursor });
  }

  #restore({ answer, cursor, ...list }) {
    const signal = this.#begin();
    this.results.setAttribute("aria-busy", "false");
    showNotice(this.notice, list.hits.length ? null : this.#emptyNotice());
    this.grid.restore(list);
    this.#completePage(answer);
    this.pager.start(cursor, (next) => this.#showPage(next, signal));
  }

  async #load(isTyping) {
    const signal = this.#begin();
    this.answer = null;
    this.results.setAttribute("aria-busy", "true");
    try {
      await this.#showPage(null, signal);
      showNotice(this.notice, this.grid.hits.length ? null : this.#emptyNotice());
    } catch (error) {
      if (isSuperseded(error) || signal.aborted) return;
      if (!(isTyping && error.status >= 400 && error.status < 500)) this.#fail(error);
    }
    this.results.setAttribute("aria-busy", "false");
  }

  async #showPage(cursor, signal) {
    const k = cursor ? Math.min(LARGEST_PAGE, this.grid.hits.length) : FIRST_PAGE;
    const page = await (this.#isAsked() ? this.#search(k, cursor, signal) : this.#browse(k, cursor, signal));
    await this.grid.append(page.hits, { isLast: !page.cursor, signal, replace: !cursor });
    if (!cursor) this.pager.start(page.cursor, (next) => this.#showPage(next, signal));
    this.#completePage(page);
    return page.cursor;
  }

  /** What stands around the pictures. */
  #completePage(answer) {
    this.answer = answer;
    this.options.hasConfidence = this.grid.drawCutoff(this.cutoff);
    this.#completeDetails();
    showSummary(this.grid.size, this.#isAsked() ? answer : null);
  }

  #search(k, cursor, signal) {
    const { query, image, mode } = this.shown;
    const explain = mode === "vector" && parseTerms(query).length + Boolean(image) > 1;
    return search({ ...this.shown, k, cursor, explain, signal });
  }

  async #browse(limit, cursor, signal) {
    const { filter } = this.shown;
    const { items, cursor: next } = await listItems({ limit, cursor, filter, signal });
    return { hits: items, cursor: next };
  }

  #isAsked() {
    return Boolean(this.shown.query || this.shown.image);
  }

  #emptyNotice() {
    return emptyNotice(this.shown, {
      clearFilter: () => this.#go({ filter: null }),
      searchByVector: () => this.#go({ mode: "vector" }),
    });
  }

  #fail(error) {
    this.hasFailed = error.status === 0;
    this.grid.clear();
    byId("results-head").hidden = true;
    showNotice(this.notice, failureNotice(error, () => this.#load(false)));
  }

  #open(id) {
    const { state } = this.router;
    const isOpen = this.details.id !== null;
    const kept = { ...state, isTyping: false, wasOpenedHere: isOpen ? state.wasOpenedHere : true };
    this.router.go({ ...this.#route(), item: id }, { replace: isOpen, state: kept });
  }

  #close() {
    if (this.router.state.wasOpenedHere) window.history.back();
    else this.router.go(this.#route(), { replace: true, state: this.router.state });
  }

  /** A link to a picture opens it before the hits are known; they tell why it was found. */
  #completeDetails() {
    const { id, isHit } = this.details;
    const around = this.grid.around(id);
    if (id && !isHit && around.hit) this.details.show(id, { ...around, canPush: this.#isAsked() });
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
      if (this.details.id === id && !this.details.isHit) this.details.show(id, { hit: item, canPush });
    } catch (error) {
      if (this.details.id === id) this.details.fail(error);
    }
  }
}
