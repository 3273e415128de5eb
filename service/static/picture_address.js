/** Where pictures are, in the size that the screen needs; browsers keep them by content. */

const SIDES = [160, 320, 640];
const LEAST_SHARPNESS = 0.8;

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
 * Return the address of the picture as it was added.
 *
 * @param {{image_url: string, digest: string}} item
 * @returns {string}
 */
export function imageAddress({ image_url: address, digest }) {
  return `${address}?v=${digest}`;
}
