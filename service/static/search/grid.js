/** The grid of pictures: rows of equal height, in the order of the ranking, ruled by arrow keys. */

import { drawCutoff } from "./cutoff.js";
import { createTile } from "./tile.js";
import { thumbnailRatios } from "./ratio.js";

const ROW_TOLERANCE_PX = 8;

/** The tiles on the page and the one that the keyboard is on. */
export class Grid {
  /**
   * @param {HTMLOListElement} list
   * @param {{onOpen: (id: string) => void, onMore: (id: string) => void,
   *   onLess: (id: string) => void, onLeave: () => void}} actions `onLeave` runs when the arrows
   *   go above the first row
   */
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
    this.hits = [];
    this.held = [];
    this.cutoff = 0;
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", (event) => this.#makeCurrent(tileOf(event.target)));
    new ResizeObserver(() => this.#onResize()).observe(list);
  }

  /** Take all tiles away. */
  clear() {
    this.hits = [];
    this.held = [];
    this.list.replaceChildren();
  }

  /** @returns {number} how many pictures are on the page */
  get size() {
    return this.#tiles().length;
  }

  /**
   * Put pictures at the end.
   *
   * @param {object[]} hits
   * @param {{addressOf: (id: string) => string, isLast: boolean, signal?: AbortSignal,
   *   replace?: boolean}} options `isLast` when no more will come
   */
  async append(hits, { addressOf, isLast, signal, replace = false }) {
    const ratios = await thumbnailRatios(hits, signal);
    if (replace) this.clear();
    const best = this.hits[0]?.score ?? hits[0]?.score ?? null;
    const tiles = hits.map((hit, index) => {
      const address = addressOf(hit.id);
      return createTile(hit, { ratio: ratios[index], address, best, ...this.actions });
    });
    this.hits.push(...hits);
    this.list.classList.toggle("is-complete", isLast);
    this.#place(tiles);
    if (!this.list.querySelector(".is-current")) this.#makeCurrent(this.#tiles()[0]);
  }

  /**
   * Draw the line below which hits are probably not what was asked for.
   *
   * @param {number} threshold from 0 to 1
   * @returns {boolean} whether the hits have a confidence
   */
  drawCutoff(threshold) {
    this.cutoff = threshold;
    return drawCutoff(this.list, this.hits, threshold);
  }

  /**
   * Return the hit with an id, and its neighbours in the ranking.
   *
   * @param {string} id
   * @returns {{hit: object|null, previous: object|null, next: object|null}}
   */
  around(id) {
    const place = this.hits.findIndex((hit) => hit.id === id);
    if (place < 0) return { hit: null, previous: null, next: null };
    const at = (index) => this.hits[index] ?? null;
    return { hit: at(place), previous: at(place - 1), next: at(place + 1) };
  }

  /**
   * Move the keyboard to a tile.
   *
   * @param {string|null} id the current tile when null
   */
  focus(id = null) {
    const wanted = this.#tiles().find((tile) => tile.dataset.id === id);
    (wanted ?? this.list.querySelector(".is-current"))?.querySelector(".tile-open").focus();
  }

  /** A row that is not full would change when more pictures come, so it waits for them. */
  #place(tiles) {
    this.list.append(...this.held, ...tiles);
    this.held = this.list.classList.contains("is-complete") ? [] : this.#takeLastRow();
    this.width = this.list.clientWidth;
    this.drawCutoff(this.cutoff);
  }

  #tiles() {
    return [...this.list.querySelectorAll(".tile")];
  }

  /** Other widths make other rows. */
  #onResize() {
    if (this.list.clientWidth !== this.width && this.held.length) this.#place([]);
  }

  #takeLastRow() {
    const top = (tile) => tile?.getBoundingClientRect().top;
    const tiles = this.#tiles();
    const isInLastRow = (tile) => Math.abs(top(tile) - top(tiles.at(-1))) < ROW_TOLERANCE_PX;
    const first = tiles.findLastIndex((tile) => !isInLastRow(tile)) + 1;
    const row = first ? tiles.slice(first) : [];
    for (const tile of row) tile.remove();
    return row;
  }

  #makeCurrent(tile) {
    if (!tile) return;
    const before = this.list.querySelector(".is-current");
    if (before) setReachable(before, false);
    setReachable(tile, true);
  }

  #onKey(event) {
    const tile = tileOf(event.target);
    if (!tile || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "m") this.actions.onMore(tile.dataset.id);
    else if (event.key === "l") this.actions.onLess(tile.dataset.id);
    else if (event.key === "ArrowUp" && !this.#above(tile)) this.actions.onLeave();
    else {
      const target = this.#target(tile, event.key);
      if (!target) return;
      target.querySelector(".tile-open").focus();
      target.scrollIntoView({ block: "nearest" });
    }
    event.preventDefault();
  }

  #target(tile, key) {
    if (key === "ArrowRight") return siblings(tile, "nextElementSibling").next().value;
    if (key === "ArrowLeft") return siblings(tile, "previousElementSibling").next().value;
    if (key === "ArrowDown") return this.#below(tile);
    if (key === "ArrowUp") return this.#above(tile);
    if (key === "Home") return this.#tiles()[0];
    if (key === "End") return this.#tiles().at(-1);
    return null;
  }

  #below(tile) {
    const { bottom } = tile.getBoundingClientRect();
    const later = siblings(tile, "nextElementSibling");
    return nearest(tile, rowOf(later, (box) => box.top >= bottom - ROW_TOLERANCE_PX));
  }

  #above(tile) {
    const { top } = tile.getBoundingClientRect();
    const earlier = siblings(tile, "previousElementSibling");
    return nearest(tile, rowOf(earlier, (box) => box.bottom <= top + ROW_TOLERANCE_PX));
  }
}

function tileOf(target) {
  return target instanceof Element ? target.closest(".tile") : null;
}

function setReachable(tile, isReachable) {
  tile.classList.toggle("is-current", isReachable);
  for (const stop of tile.querySelectorAll("a, button")) stop.tabIndex = isReachable ? 0 : -1;
}

function* siblings(tile, step) {
  for (let other = tile[step]; other; other = other[step]) {
    if (other.classList.contains("tile")) yield other;
  }
}

/** Collect the first row of tiles for which `isBeyond` holds. */
function rowOf(tiles, isBeyond) {
  const row = [];
  for (const tile of tiles) {
    const box = tile.getBoundingClientRect();
    if (!isBeyond(box)) continue;
    if (row.length && Math.abs(row[0].box.top - box.top) > ROW_TOLERANCE_PX) break;
    row.push({ tile, box });
  }
  return row;
}

function nearest(tile, row) {
  const middle = (box) => (box.left + box.right) / 2;
  const from = middle(tile.getBoundingClientRect());
  const distance = ({ box }) => Math.abs(middle(box) - from);
  return row.reduce((best, one) => (distance(one) < distance(best) ? one : best), row[0])?.tile;
}
