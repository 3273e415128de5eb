/** The tiles near the part of the page that is in sight: the only ones that exist. */

import { cutoffLine } from "./cutoff.js";
import { boxesOf, rowAt, rowOf } from "./rows.js";
import { createTile } from "./tile.js";

/** How far around the window tiles are made, in heights of the window. */
const AHEAD = 1;
/** Under tiles narrower than this, score and confidence do not fit beside each other. */
const NARROW_PX = 116;
/** Under tiles narrower than this, they fit, but not together with the marks. */
const TIGHT_PX = 184;

/** Makes tiles when their row comes near, and takes them away when it has gone. */
export class TileWindow {
  /**
   * @param {HTMLOListElement} list
   * @param {object} actions of a tile
   */
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
    this.tiles = new Map();
    this.line = null;
    this.lastTop = 0;
    this.isDue = false;
    const onMove = () => this.#drawSoon();
    window.addEventListener("scroll", onMove, { passive: true });
    window.addEventListener("resize", onMove, { passive: true });
  }

  /** Take all tiles away: another list begins. */
  clear() {
    for (const place of [...this.tiles.keys()]) this.#drop(place);
    this.current = 0;
    this.list.replaceChildren();
  }

  /**
   * Show a list, or the same list with other rows.
   *
   * @param {{hits: object[], ratios: number[], rows: import("./rows.js").Row[],
   *   measures: import("./rows.js").Measures, breakAt: number, isComplete: boolean}} layout
   */
  show(layout) {
    Object.assign(this, layout);
    const last = this.rows.at(-1);
    const height = last ? last.top + last.height + this.measures.below : 0;
    this.list.style.setProperty("height", `${height}px`);
    this.#dropLine();
    this.draw();
    for (const [place, tile] of this.tiles) this.#put(tile, place);
  }

  /** Make what has come near, drop what has gone. */
  draw() {
    this.isDue = false;
    // A view that is hidden has no place; it is drawn when it comes back.
    if (!this.list.clientWidth) return;
    this.lastTop = window.scrollY;
    const wanted = this.#wanted();
    for (const place of [...this.tiles.keys()]) if (!wanted.has(place)) this.#drop(place);
    this.#drawLine(wanted);
    let next = this.list.firstElementChild;
    for (const place of wanted) {
      if (place === this.breakAt && next === this.line) next = next?.nextElementSibling ?? null;
      const tile = this.tiles.get(place) ?? this.#make(place);
      if (tile === next) next = next.nextElementSibling;
      else this.list.insertBefore(tile, next);
    }
  }

  /**
   * Return the place of the tile that holds an element.
   *
   * @param {EventTarget|null} target
   * @returns {number|null}
   */
  placeOf(target) {
    const tile = target instanceof Element ? target.closest(".tile") : null;
    return tile ? Number(tile.getAttribute("aria-posinset")) - 1 : null;
  }

  /** @returns {number} the first picture whose row is not above the window */
  firstInSight() {
    if (!this.rows.length) return 0;
    const margin = Number.parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop);
    const y = (margin || 0) - this.list.getBoundingClientRect().top;
    const number = rowAt(this.rows, y);
    const { start, top, height } = this.rows[number];
    return y > top + height / 2 ? this.rows[number + 1]?.start ?? start : start;
  }

  /**
   * Return how far below the upper edge of the window a picture begins.
   *
   * @param {number} place
   * @returns {number} in CSS pixels
   */
  distance(place) {
    if (!this.rows.length) return 0;
    return this.list.getBoundingClientRect().top + this.rows[rowOf(this.rows, place)].top;
  }

  /**
   * Let the keyboard reach a tile, and no other.
   *
   * @param {number} place
   */
  makeCurrent(place) {
    const before = this.tiles.get(this.current);
    if (before) setReachable(before, false);
    this.current = place;
    const tile = this.tiles.get(place);
    if (tile) setReachable(tile, true);
  }

  /**
   * Move the keyboard to a tile and the page to where it is.
   *
   * @param {number} place
   */
  focus(place) {
    if (!this.rows.length) return;
    this.makeCurrent(place);
    this.draw();
    const tile = this.tiles.get(place);
    tile.querySelector(".tile-open").focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }

  #drawSoon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => this.draw());
  }

  /** @returns {Set<number>} in order; the tile with the keyboard stays, wherever it is */
  #wanted() {
    if (!this.rows.length) return new Set();
    const top = -this.list.getBoundingClientRect().top;
    const reach = AHEAD * window.innerHeight;
    const first = this.rows[rowAt(this.rows, top - reach)].start;
    const { end } = this.rows[rowAt(this.rows, top + window.innerHeight + reach)];
    const near = Array.from({ length: end - first }, (_, index) => first + index);
    const current = Math.min(this.current, this.rows.at(-1).end - 1);
    if (current < first) near.unshift(current);
    if (current >= end) near.push(current);
    return new Set(near);
  }

  #make(place) {
    const hit = this.hits[place];
    const best = this.hits[0].score ?? null;
    const tile = createTile(hit, { ratio: this.ratios[place], best, ...this.actions });
    this.tiles.set(place, tile);
    this.#put(tile, place);
    if (place === this.current) setReachable(tile, true);
    return tile;
  }

  #put(tile, place) {
    const row = this.rows[rowOf(this.rows, place)];
    const { start, width } = boxesOf(row, this.ratios, this.measures.gap)[place - row.start];
    tile.style.setProperty("inset-inline-start", `${start}px`);
    tile.style.setProperty("top", `${row.top}px`);
    tile.style.setProperty("width", `${width}px`);
    tile.style.setProperty("--height", `${row.height}px`);
    tile.classList.toggle("is-narrow", width < NARROW_PX);
    tile.classList.toggle("is-tight", width < TIGHT_PX);
    tile.classList.toggle("is-unlikely", this.breakAt >= 0 && place >= this.breakAt);
    tile.setAttribute("aria-posinset", String(place + 1));
    tile.setAttribute("aria-setsize", this.isComplete ? String(this.hits.length) : "-1");
  }

  #drop(place) {
    const tile = this.tiles.get(place);
    const picture = tile.querySelector("img");
    // A picture that nobody waits for any more must not keep others from loading.
    if (!picture.complete) picture.removeAttribute("src");
    tile.remove();
    this.tiles.delete(place);
  }

  #drawLine(wanted) {
    if (!wanted.has(this.breakAt)) return this.#dropLine();
    if (this.line) return;
    this.line = cutoffLine(this.breakAt);
    const { top } = this.rows[rowOf(this.rows, this.breakAt)];
    this.line.style.setProperty("top", `${top - this.measures.line}px`);
    this.line.style.setProperty("height", `${this.measures.line}px`);
    const after = [...this.tiles.keys()].filter((place) => place >= this.breakAt);
    this.list.insertBefore(this.line, this.tiles.get(Math.min(...after)) ?? null);
  }

  #dropLine() {
    this.line?.remove();
    this.line = null;
  }
}

function setReachable(tile, isReachable) {
  tile.classList.toggle("is-current", isReachable);
  for (const stop of tile.querySelectorAll("a, button")) stop.tabIndex = isReachable ? 0 : -1;
}
