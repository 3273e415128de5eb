/** A picture of the label view: a file of the user or an item of the gallery, and what is known. */

import { thumbnailAddress } from "../picture_address.js";
import { captionOf } from "../search/tile.js";

/** The label of a picture that shows none of them. */
export const NONE = null;

/** One picture. What it shows is `undefined` until somebody says it. */
export class Picture {
  /**
   * @param {{file?: File, item?: object, path?: string, isExample?: boolean}} source one of `file`
   *   and `item`; `path` names the folder it lies in; `isExample`: the page chose it, not the user
   */
  constructor({ file = null, item = null, path = "", isExample = false }) {
    this.file = file;
    this.item = item;
    this.folder = path.split("/").at(-2) ?? "";
    this.isExample = isExample;
    this.name = item ? captionOf(item) : file.name;
    /** @type {string|null|undefined} the right label, `NONE`, or not known */
    this.truth = undefined;
    /** @type {"taught"|"calibrated"|null} what it was used for */
    this.use = null;
    /** @type {object|null} the entry of the service's `results` */
    this.result = null;
  }

  /** @returns {number} bytes that sending it takes */
  get bytes() {
    return this.file?.size ?? 0;
  }

  /** @returns {boolean} whether somebody said what it shows */
  get isKnown() {
    return this.truth !== undefined;
  }

  /**
   * Return what it shows, if that can be judged by these labels.
   *
   * @param {string[]} labels
   * @returns {string|null|undefined} as `truth`
   */
  truthAmong(labels) {
    return typeof this.truth === "string" && !labels.includes(this.truth) ? undefined : this.truth;
  }

  /**
   * Return where its thumbnail is; a file has none before it is made small.
   *
   * @param {number} side longer side on the page, in CSS pixels
   * @returns {string|null}
   */
  thumbnail(side) {
    return this.item ? thumbnailAddress(this.item, side) : null;
  }
}

/**
 * Put pictures into the order of a request: files, then items of the gallery.
 *
 * @param {Picture[]} pictures
 * @returns {{ordered: Picture[], images: File[], imageIds: string[]}}
 */
export function sourcesOf(pictures) {
  const files = pictures.filter((picture) => picture.file);
  const items = pictures.filter((picture) => picture.item);
  return {
    ordered: [...files, ...items],
    images: files.map(({ file }) => file),
    imageIds: items.map(({ item }) => item.id),
  };
}

/**
 * Take the names of folders for labels, where they are labels.
 *
 * @param {Picture[]} pictures whose folder is looked at
 * @param {string[]} labels
 * @returns {boolean} whether anything was learned
 */
export function learnFromFolders(pictures, labels) {
  const known = new Map(labels.map((label) => [plain(label), label]));
  let isLearned = false;
  for (const picture of pictures) {
    const label = known.get(plain(picture.folder));
    if (!picture.folder || !label || picture.isKnown) continue;
    picture.truth = label;
    isLearned = true;
  }
  return isLearned;
}

function plain(text) {
  return text.toLowerCase().replace(/[\s_-]+/g, " ").trim();
}
