/** The places where pictures are dropped onto a label, each with how many it has. */

import { filesOfDialog, filesOfDrop, sortFiles } from "../add/dropped_files.js";
import { byId, element, icon } from "../dom.js";
import { NONE, Picture } from "./picture.js";

const MOST_TARGETS = 60;
const FILTER_FROM = 18;
const MOST_THUMBNAILS = 5;
const THUMBNAIL_PX = 40;

/** One target for each label, and one for pictures of none of them. */
export class TeachTargets {
  /**
   * @param {{onPictures: (pictures: Picture[]) => void,
   *   imageOf: (picture: Picture) => HTMLImageElement|null}} options `imageOf` is the preview that
   *   is on the page already
   */
  constructor({ onPictures, imageOf }) {
    this.onPictures = onPictures;
    this.imageOf = imageOf;
    this.list = byId("teach-targets");
    this.filter = byId("teach-filter");
    this.file = byId("teach-file");
    this.filter.addEventListener("input", () => this.#draw());
    this.file.addEventListener("change", () => {
      this.#take(filesOfDialog([...this.file.files]), this.picking);
      this.file.value = "";
    });
  }

  /**
   * Draw the targets.
   *
   * @param {{labels: string[], pictures: Picture[], counts: {taught: object, calibrated: object}}}
   *   shown `counts` are by label, what the service has learned from
   */
  show(shown) {
    this.shown = shown;
    this.filter.hidden = shown.labels.length < FILTER_FROM;
    this.#draw();
  }

  #draw() {
    const { labels } = this.shown;
    const wanted = this.filter.hidden ? "" : this.filter.value.trim().toLowerCase();
    const found = labels.filter((label) => label.toLowerCase().includes(wanted));
    const shown = found.slice(0, MOST_TARGETS);
    const focused = this.list.contains(document.activeElement) ? document.activeElement.value : null;
    this.list.replaceChildren(...shown.map((label) => this.#target(label)), this.#target(NONE));
    byId("teach-more").hidden = found.length <= shown.length;
    byId("teach-more").textContent = `${found.length - shown.length} more labels: find them by name.`;
    if (focused === null) return;
    [...this.list.querySelectorAll("button")].find(({ value }) => value === focused)?.focus();
  }

  #target(label) {
    const { pictures } = this.shown;
    const own = pictures.filter(({ truth }) => truth === label);
    const name = label ?? "None of these";
    const pick = element(
      "button",
      {
        class: "target-pick",
        type: "button",
        value: label === NONE ? "" : `label ${label}`,
        "aria-label": `Add pictures of ${label ?? "none of the labels"}`,
        onclick: () => {
          this.picking = label;
          this.file.click();
        },
      },
      icon("add"),
    );
    const target = element(
      "li",
      { class: "teach-target" },
      element("div", { class: "target-head" }, element("b", { dir: "auto" }, name), pick),
      element("p", { class: "target-count" }, this.#counts(label, own)),
      element("div", { class: "target-pictures" }, ...own.slice(0, MOST_THUMBNAILS).map((one) => this.#thumbnail(one))),
    );
    target.classList.toggle("is-none", label === NONE);
    this.#acceptDrops(target, label);
    return target;
  }

  #counts(label, own) {
    const { taught, calibrated } = this.shown.counts;
    const here = own.filter(({ use }) => !use).length;
    const parts = [];
    if (label !== NONE && taught[label]) parts.push(`${taught[label]} taught`);
    if (label !== NONE && calibrated[label]) parts.push(`${calibrated[label]} calibrated`);
    if (here || !parts.length) parts.unshift(`${here} here`);
    return parts.join(" \u00b7 ");
  }

  #thumbnail(picture) {
    const canvas = element("canvas", { width: THUMBNAIL_PX, height: THUMBNAIL_PX, "aria-hidden": "true" });
    const image = this.imageOf(picture);
    if (image?.naturalWidth) drawCover(canvas, image);
    else image?.addEventListener("load", () => drawCover(canvas, image), { once: true });
    return canvas;
  }

  #acceptDrops(target, label) {
    const mark = (isOver) => target.classList.toggle("is-over", isOver);
    target.addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    target.addEventListener("dragleave", (event) => {
      if (!target.contains(event.relatedTarget)) mark(false);
    });
    target.addEventListener("drop", async (event) => {
      mark(false);
      // What is handled here is left alone by the page.
      event.preventDefault();
      this.#take(await filesOfDrop(event.dataTransfer), label);
    });
  }

  #take(found, label) {
    const pictures = sortFiles(found).pictures.map(({ file, path }) => new Picture({ file, path }));
    for (const picture of pictures) picture.truth = label;
    if (pictures.length) this.onPictures(pictures);
  }
}

function drawCover(canvas, image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const side = Math.min(width, height);
  const [left, top] = [(width - side) / 2, (height - side) / 2];
  canvas.getContext("2d").drawImage(image, left, top, side, side, 0, 0, canvas.width, canvas.height);
}
