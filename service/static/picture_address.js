/** Where pictures are, in the size that the screen needs; browsers keep them by content. */

const SIDES = [160, 320, 640];
const LEAST_SHARPNESS = 0.8;
const ROW_SHARE = 0.15;
const LOWEST_ROW_PX = 96;
const HIGHEST_ROW_PX = 210;

/**
 * Return the address of the thumbnail of a hit or item.
 *
 * @param {{thumbnail_url: string, digest: string}} item
 * @param {number} side longer side on the page, in CSS pixels
 * @returns {string}
 */
export function thumbnailAddress({ thumbnail_url: address, digest }, side) {
  const least = side * window.devicePixelRatio * LEAST_SHARPNESS;
  const size = SIDES.find((one) => one >= least) ?? SIDES.at(-1);
  return `${address}?size=${size}&v=${digest}`;
}

/**
 * Return the longer side of a tile of the grid, in CSS pixels. The heights are those of grid.css.
 *
 * @param {number} ratio width over height
 * @returns {number}
 */
export function tileSide(ratio) {
  const height = Math.max(LOWEST_ROW_PX, window.innerWidth * ROW_SHARE);
  return Math.min(HIGHEST_ROW_PX, height) * Math.max(1, ratio);
}

/**
 * Return the address of the picture as it was added.
 *
 * @param {{image_url: string, digest: string}} item
 * @returns {string}
 */
export function imageAddress({ image_url: address, digest }) {
  return `${address}?v=${digest}`;
}
