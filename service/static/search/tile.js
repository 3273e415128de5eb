/** One picture of the grid: thumbnail, caption, score, and the ways to more and less like it. */

import { element, icon } from "../dom.js";
import { thumbnailAddress } from "../picture_address.js";
import { tileSide } from "./rows.js";

const THUMBNAIL_HEIGHT = 240;
const WIDE_ENOUGH_FOR_WORDS = 1.25;

/**
 * Create the tile of a hit or an item.
 *
 * @param {object} hit as the service gave it; items have no `score`
 * @param {{ratio: number, best: number|null, addressOf: (id: string) => string,
 *   marks: import("./hit_marks.js").HitMarks, onOpen: (id: string) => void,
 *   onMore: (id: string) => void, onLess: (id: string) => void}} options `best` is the first
 *   score of the list, `addressOf` gives the address that opens a picture
 * @returns {HTMLLIElement}
 */
export function createTile(hit, { ratio, best, addressOf, marks, onOpen, onMore, onLess }) {
  const caption = captionOf(hit);
  const tile = element(
    "li",
    { class: "tile" },
    element(
      "a",
      {
        class: "tile-open",
        href: addressOf(hit.id),
        tabIndex: -1,
        onclick: (event) => open(event, () => onOpen(hit.id)),
      },
      thumbnail(hit, caption, ratio),
      element("span", { class: "tile-caption", dir: "auto", "aria-hidden": "true" }, caption),
    ),
    element(
      "div",
      { class: "tile-actions" },
      lessButton(hit, caption, onLess),
      moreButton(hit, caption, onMore),
    ),
    score(hit, best, marks.controls(hit)),
  );
  tile.dataset.id = hit.id;
  tile.classList.toggle("is-wide", ratio >= WIDE_ENOUGH_FOR_WORDS);
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

function thumbnail(hit, caption, ratio) {
  return element("img", {
    src: thumbnailAddress(hit, tileSide(ratio)),
    alt: caption,
    width: Math.round(THUMBNAIL_HEIGHT * ratio),
    height: THUMBNAIL_HEIGHT,
    decoding: "async",
    draggable: false,
    onerror: (event) => event.target.closest(".tile").classList.add("is-broken"),
  });
}

function score(hit, best, controls) {
  if (typeof hit.score !== "number") return null;
  const isSure = typeof hit.confidence === "number";
  const share = isSure ? hit.confidence : Math.max(0, best > 0 ? hit.score / best : 0);
  const bar = element("span", { class: "score-bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", Math.min(1, share).toFixed(3));
  const percent = isSure ? `${Math.round(hit.confidence * 100)} %` : null;
  const title = `score ${hit.score.toFixed(4)}${isSure ? `, confidence ${percent}` : ""}`;
  const confidence = isSure ? element("b", {}, percent) : null;
  const value = element("span", { class: "score-value" }, hit.score.toFixed(3));
  const numbers = element("span", { class: "score-numbers", title }, value, bar);
  if (confidence) numbers.append(confidence);
  return element("div", { class: "score" }, numbers, controls);
}

function moreButton(hit, caption, onMore) {
  const properties = {
    class: "tile-action",
    type: "button",
    title: "More like this (M)",
    "aria-label": `More like this: ${caption}`,
    tabIndex: -1,
    onclick: () => onMore(hit.id),
  };
  return element("button", properties, icon("similar"), element("span", {}, "More like this"));
}

function lessButton(hit, caption, onLess) {
  const properties = {
    class: "tile-action tile-less",
    type: "button",
    title: "Less like this (L)",
    "aria-label": `Less like this: ${caption}`,
    tabIndex: -1,
    onclick: () => onLess(hit.id),
  };
  return element("button", properties, icon("less"));
}

function open(event, run) {
  const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (modified) return;
  event.preventDefault();
  run();
}
