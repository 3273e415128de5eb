/** A list of any length of which only the rows in sight are drawn. */

import { element } from "../dom.js";
import { STATES, size } from "./upload.js";

const ROW_PX = 40;
const SPARE_ROWS = 6;

/** The rows of every file, in the order in which they came. */
export class FileList {
  /** @param {HTMLElement} area that scrolls, with the list inside */
  constructor(area) {
    this.area = area;
    this.list = area.firstElementChild;
    this.uploads = [];
    area.addEventListener("scroll", () => this.draw(), { passive: true });
  }

  /** @param {import("./upload.js").Upload[]} uploads */
  show(uploads) {
    this.uploads = uploads;
    this.list.style.height = `${uploads.length * ROW_PX}px`;
    this.draw();
  }

  /** Draw the rows in sight as they stand now. */
  draw() {
    const height = this.area.clientHeight;
    if (!height) return;
    const first = Math.max(0, Math.floor(this.area.scrollTop / ROW_PX) - SPARE_ROWS);
    const last = Math.ceil((this.area.scrollTop + height) / ROW_PX) + SPARE_ROWS;
    const shown = this.uploads.slice(first, last);
    this.list.replaceChildren(...shown.map((upload, place) => this.#row(upload, first + place)));
  }

  #row({ path, file, state, problem }, place) {
    const row = element(
      "li",
      { "aria-setsize": this.uploads.length, "aria-posinset": place + 1 },
      element("bdi", { class: "add-path", title: path }, path),
      element("span", { class: "add-size" }, size(file.size)),
      element("span", { class: "add-state", title: problem?.message }, STATES[state]),
    );
    row.dataset.state = state;
    row.style.transform = `translateY(${place * ROW_PX}px)`;
    return row;
  }
}
