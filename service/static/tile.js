/** One picture of the grid: thumbnail, caption, score, and the way to more like it. */

import { element, icon } from "./dom.js";
import { routeAddress } from "./route.js";

const THUMBNAIL_HEIGHT = 240;

/**
 * Create the tile of a hit or an item.
 *
 * @param {object} hit as the service gave it; items have no `score`
 * @param {{ratio: number, query: string, best: number|null, onOpen: (id: string) => void,
 *   onMore: (id: string) => void}} options `best` is the first score of the list
 * @returns {HTMLLIElement}
 */
export function createTile(hit, { ratio, query, best, onOpen, onMore }) {
  const caption = captionOf(hit);
  const tile = element(
    "li",
    { class: "tile" },
    element(
      "a",
      {
        class: "tile-open",
        href: routeAddress({ query, item: hit.id }),
        tabIndex: -1,
        onclick: (event) => open(event, () => onOpen(hit.id)),
      },
      thumbnail(hit, caption, ratio),
      element("span", { class: "tile-caption", dir: "auto", "aria-hidden": "true" }, caption),
    ),
    moreButton(hit, caption, onMore),
    score(hit, best),
  );
  tile.dataset.id = hit.id;
  tile.style.setProperty("--ratio", ratio.toFixed(4));
  return tile;
}

/**
 * Return the words for a picture; its id where it has no caption.
 *
 * @param {{id: string, caption?: string}} item
 * @returns {string}
 */
export function captionOf(item) {
  return item.caption || `Picture ${item.id}`;
}

/**
 * Return a score or confidence as people read it.
 *
 * @param {{score: number, confidence?: number|null}} hit
 * @returns {string}
 */
export function scoreText({ score: value, confidence }) {
  if (typeof confidence === "number") return `${Math.round(confidence * 100)} %`;
  return value.toFixed(3);
}

function thumbnail(hit, caption, ratio) {
  return element("img", {
    src: hit.thumbnail_url,
    alt: caption,
    width: Math.round(THUMBNAIL_HEIGHT * ratio),
    height: THUMBNAIL_HEIGHT,
    loading: "lazy",
    decoding: "async",
    draggable: false,
    onerror: (event) => event.target.closest(".tile").classList.add("is-broken"),
  });
}

function score(hit, best) {
  if (typeof hit.score !== "number") return null;
  const share = hit.confidence ?? (best > 0 ? Math.max(0, hit.score / best) : 0);
  const bar = element("span", { class: "score-bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", share.toFixed(3));
  const title = `score ${hit.score.toFixed(4)}: cosine with the query, 1 at most`;
  return element("p", { class: "score", title }, scoreText(hit), bar);
}

function moreButton(hit, caption, onMore) {
  const properties = {
    class: "tile-more",
    type: "button",
    title: "More like this (M)",
    "aria-label": `More like this: ${caption}`,
    tabIndex: -1,
    onclick: () => onMore(hit.id),
  };
  return element("button", properties, icon("similar"), element("span", {}, "More like this"));
}

function open(event, run) {
  const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (modified) return;
  event.preventDefault();
  run();
}
