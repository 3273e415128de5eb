/** Width over height of thumbnails, known before a tile is placed, so that nothing jumps. */

import { thumbnailAddress } from "../picture_address.js";
import { tileSide } from "./rows.js";

const UNKNOWN = 4 / 3;
const NARROWEST = 0.42;
const WIDEST = 2.4;
const LONGEST_WAIT_MS = 700;

/**
 * Return the ratio of each thumbnail, loading those whose size the service did not tell.
 *
 * @param {{thumbnail_url: string, digest: string, thumbnail_width: number|null,
 *   thumbnail_height: number|null}[]} items
 * @param {AbortSignal} [signal]
 * @returns {Promise<number[]>} between narrow and wide enough for a row; the picture is cropped
 *   to it where it is beyond
 */
export async function thumbnailRatios(items, signal) {
  const ratios = await Promise.all(items.map(ratioOf));
  signal?.throwIfAborted();
  return ratios;
}

async function ratioOf(item) {
  const { thumbnail_width: width, thumbnail_height: height } = item;
  if (width && height) return within(width / height);
  return Promise.race([loadedRatio(thumbnailAddress(item, tileSide(UNKNOWN))), patience()]);
}

function loadedRatio(address) {
  return new Promise((resolve) => {
    const probe = new Image();
    probe.onload = () => resolve(within(probe.naturalWidth / probe.naturalHeight));
    probe.onerror = () => resolve(UNKNOWN);
    probe.src = address;
  });
}

function patience() {
  return new Promise((resolve) => {
    setTimeout(() => resolve(UNKNOWN), LONGEST_WAIT_MS);
  });
}

function within(ratio) {
  return Math.min(WIDEST, Math.max(NARROWEST, ratio || UNKNOWN));
}
