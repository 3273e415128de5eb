/** The grid of pictures: in the order of the ranking, ruled by arrow keys, however many there are. */

import { cutoffPlace, hasConfidence } from "./cutoff.js";
import { thumbnailRatios } from "./ratio.js";
import { layRows, measures, placeBeyond } from "./rows.js";
import { TileWindow } from "./tile_window.js";

/** The hits, where each of them has its place, and the one that the keyboard is on. */
export class Grid {
  /**
   * @param {HTMLOListElement} list
   * @param {{onOpen: (id: string) => void, onMore: (id: string) => void,
   *   onLess: (id: string) => void, onLeave: () => void, addressOf: (id: string) => string,
   *   marks: import("./hit_marks.js").HitMarks}} actions `onLeave` runs when the arrows go above
   *   the first row, `addressOf` gives the address that opens a picture
   */
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
    this.cutoff = 0;
    this.tiles = new TileWindow(list, actions);
    this.clear();
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", (event) => this.#follow(event.target));
    new ResizeObserver(() => this.#onResize()).observe(list);
  }

  /** Take all pictures away. */
  clear() {
    this.hits = [];
    this.ratios = [];
    this.rows = [];
    this.isComplete = true;
    this.tiles.clear();
    this.#layOut();
  }

  /** @returns {number} how many pictures have a place on the page */
  get size() {
    return this.rows.at(-1)?.end ?? 0;
  }

  /**
   * Put pictures at the end.
   *
   * @param {object[]} hits
   * @param {{isLast: boolean, signal?: AbortSignal, replace?: boolean}} options `isLast` when no
   *   more will come
   */
  async append(hits, { isLast, signal, replace = false }) {
    const ratios = await thumbnailRatios(hits, signal);
    if (replace) this.clear();
    this.hits = this.hits.concat(hits);
    this.ratios = this.ratios.concat(ratios);
    this.isComplete = isLast;
    this.#layOut();
  }

  /** @returns {object} the pictures and where the user is among them, for `restore` */
  kept() {
    const { hits, ratios, isComplete } = this;
    return { hits, ratios, isComplete, current: this.tiles.current, top: this.tiles.lastTop };
  }

  /**
   * Show pictures that were here before.
   *
   * @param {object} kept
   */
  restore({ hits, ratios, isComplete, current }) {
    this.clear();
    Object.assign(this, { hits, ratios, isComplete });
    this.tiles.current = current;
    this.#layOut();
  }

  /**
   * Move the page, as soon as everything has its height again.
   *
   * @param {number} top of the window, in CSS pixels
   */
  scrollTo(top) {
    window.scrollTo({ top });
    this.tiles.draw();
  }

  /**
   * Draw the line below which hits are probably not what was asked for.
   *
   * @param {number} threshold from 0 to 1
   * @returns {boolean} whether the hits have a confidence, so that the line has a meaning
   */
  drawCutoff(threshold) {
    const isMoved = cutoffPlace(this.hits, threshold) !== cutoffPlace(this.hits, this.cutoff);
    this.cutoff = threshold;
    if (isMoved) this.#layOut();
    return this.hits.some(hasConfidence);
  }

  /**
   * Return the hit with an id, and its neighbours in the ranking.
   *
   * @param {string|null} id
   * @returns {{hit: object|null, previous: object|null, next: object|null}}
   */
  around(id) {
    const place = this.#placeOf(id);
    if (place < 0) return { hit: null, previous: null, next: null };
    const at = (index) => this.hits[index] ?? null;
    return { hit: at(place), previous: at(place - 1), next: at(place + 1) };
  }

  /**
   * Move the keyboard to a picture and the page to where it is.
   *
   * @param {string|null} id the first picture in sight when null
   */
  focus(id = null) {
    const place = this.#placeOf(id);
    this.tiles.focus(place >= 0 && place < this.size ? place : this.tiles.firstInSight());
  }

  #placeOf(id) {
    return id === null ? -1 : this.hits.findIndex((hit) => hit.id === id);
  }

  #layOut() {
    const { hits, ratios, isComplete } = this;
    this.width = this.list.clientWidth;
    const hasScores = typeof hits[0]?.score === "number";
    const sizes = measures(this.width, hasScores);
    const breakAt = cutoffPlace(hits, this.cutoff);
    this.rows = this.width ? layRows(ratios, sizes, { breakAt, isComplete }) : [];
    this.tiles.show({ hits, ratios, rows: this.rows, measures: sizes, breakAt, isComplete });
  }

  /** Other widths make other rows; what was in sight stays there. */
  #onResize() {
    if (!this.list.clientWidth) return;
    if (this.list.clientWidth === this.width) return this.tiles.draw();
    const anchor = this.tiles.firstInSight();
    const before = this.tiles.distance(anchor);
    this.#layOut();
    if (window.scrollY) window.scrollBy({ top: this.tiles.distance(anchor) - before });
  }

  #follow(target) {
    const place = this.tiles.placeOf(target);
    if (place !== null) this.tiles.makeCurrent(place);
  }

  #onKey(event) {
    const place = this.tiles.placeOf(event.target);
    if (place === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const hit = this.hits[place];
    if (event.key === "m") this.actions.onMore(hit.id);
    else if (event.key === "l") this.actions.onLess(hit.id);
    else if (!this.#step(place, event) && !this.actions.marks.takeKey(event.key, hit)) return;
    event.preventDefault();
  }

  /** @returns {boolean} whether the key was one that moves */
  #step(place, { key, target }) {
    const isRightToLeft = getComputedStyle(target).direction === "rtl";
    const forward = isRightToLeft ? "ArrowLeft" : "ArrowRight";
    const last = this.size - 1;
    let to = null;
    if (key === "Home") to = 0;
    else if (key === "End") to = last;
    else if (key === "ArrowDown") to = this.#beyond(place, 1) ?? place;
    else if (key === "ArrowUp") to = this.#beyond(place, -1);
    else if (key === "ArrowLeft" || key === "ArrowRight") to = place + (key === forward ? 1 : -1);
    else return false;
    if (to === null) this.actions.onLeave();
    else this.tiles.focus(Math.min(last, Math.max(0, to)));
    return true;
  }

  #beyond(place, step) {
    return placeBeyond(this.rows, this.ratios, place, step, this.tiles.measures.gap);
  }
}
