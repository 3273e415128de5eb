/** The search view: from the address to pictures on the page. */

import { getItem } from "../api.js";
import { byId } from "../dom.js";
import { routeAddress } from "../route.js";
import { copyLink } from "./copy_link.js";
import { Details } from "./details.js";
import { withCondition } from "./filters.js";
import { Grid } from "./grid.js";
import { HitMarks } from "./hit_marks.js";
import { QueryBox } from "./query_box.js";
import { QueryImages } from "./query_images.js";
import { ResultList } from "./result_list.js";
import { SearchOptions } from "./search_options.js";
import { idTerm } from "./terms.js";

/** Search box, grid and details, kept in step with the address. */
export class SearchView {
  /** @param {import("./route.js").Router} router */
  constructor(router) {
    this.router = router;
    this.images = new QueryImages();
    this.shownKey = null;
    this.shown = { query: "", image: null, mode: "vector", filter: null };
    this.element = byId("search-view");
    this.box = new QueryBox((request) => this.#ask(request));
    this.marks = new HitMarks((isOn) => this.#setJudge(isOn));
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
    this.list = new ResultList(this.grid, {
      onPage: () => this.#onPage(),
      clearFilter: () => this.#go({ filter: null }),
      searchByVector: () => this.#go({ mode: "vector" }),
      addPictures: () => this.router.go({ view: "add" }),
    });
    this.details = new Details({
      marks: this.marks,
      onStep: (id) => this.#open(id),
      onClose: () => this.#close(),
      onMore: (id) => this.#moreLike(id),
      onLess: (id) => this.#lessLike(id),
      onFilter: (field, value) => this.#onlyWith(field, value),
    });
    byId("search-copy").addEventListener("click", () => this.#copyLink());
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
    this.judge = route.judge;
    this.box.show(query, image);
    this.options.show(route);
    if (key !== this.shownKey) {
      this.shownKey = key;
      this.shown = { query, image, mode, filter };
      this.marks.start(this.shown);
      this.#showTitle();
      this.list.show(this.shown, { key, ...state });
    } else if (this.isAway && state.isReturn) this.grid.scrollTo(this.grid.kept().top);
    this.isAway = false;
    this.marks.judge(route.judge);
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
    const { image, ...route } = { ...this.shown, ...this.#kept(), ...change };
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
    if (!this.list.isAsked) return;
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
    return { ...route, ...this.#kept() };
  }

  /** @returns {{cutoff: number, judge: boolean}} what stays from search to search */
  #kept() {
    return { cutoff: this.cutoff, judge: this.judge };
  }

  #setJudge(judge) {
    this.judge = judge;
    this.router.go(this.#route(), { replace: true, state: this.router.state });
  }

  #copyLink() {
    // A picture of the user's own is in this window and nowhere else.
    const done = this.shown.image ? "Copied; your picture is not part of a link" : "Copied";
    copyLink(byId("search-copy-text"), routeAddress(this.#route()), done);
  }

  #showTitle() {
    const { query, image } = this.shown;
    const isAsked = Boolean(query || image);
    byId("search-copy").hidden = !isAsked;
    this.element.classList.toggle("is-asked", isAsked);
    document.title = isAsked ? `${query || "Like a picture"} - Sightline` : "Sightline";
  }

  /** Pictures have come. */
  #onPage() {
    this.options.hasConfidence = this.grid.drawCutoff(this.cutoff);
    this.#completeDetails();
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
    if (!id) return;
    const around = this.grid.around(id);
    if (isHit || !around.hit) this.details.showSteps(around);
    else this.details.show(id, { ...around, question: this.shown });
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
    const question = this.shown;
    this.details.show(id, { hit, previous, next, question });
    // Whoever walks through the pictures one by one gets more of them, too.
    if (hit && !next) this.list.more();
    if (hit) return;
    try {
      const item = await getItem(id);
      if (this.details.id === id && !this.details.isHit) this.details.show(id, { hit: item, question });
    } catch (error) {
      if (this.details.id === id) this.details.fail(error);
    }
  }
}
