/** What was refused, each with its reason: in words for people, and as a code to look up. */

import { byId, element } from "../dom.js";

const SHOWN_AT_FIRST = 20;

/** The list of refused pictures; rows are only ever appended while a queue lasts. */
export class RefusedList {
  constructor() {
    this.section = byId("add-refused");
    this.list = byId("add-refused-list");
    this.more = byId("add-refused-more");
    this.isWhole = false;
    this.refused = [];
    this.more.addEventListener("click", () => {
      this.isWhole = true;
      this.#draw();
    });
  }

  /** @param {{path: string, problem: {message: string, code: string}}[]} refused */
  show(refused) {
    const isSame = refused.length === this.refused.length && refused.every((one, place) => one === this.refused[place]);
    if (isSame) return;
    this.refused = refused;
    if (!refused.length) this.isWhole = false;
    this.#draw();
  }

  #draw() {
    const { length } = this.refused;
    const most = this.isWhole ? length : SHOWN_AT_FIRST;
    this.section.hidden = !length;
    byId("add-refused-title").textContent = `${length.toLocaleString("en")} refused`;
    this.more.hidden = length <= most;
    this.more.textContent = `Show all ${length.toLocaleString("en")}`;
    this.list.replaceChildren(...this.refused.slice(0, most).map(refusedRow));
  }
}

function refusedRow({ path, problem }) {
  return element(
    "li",
    {},
    element("bdi", { class: "add-path" }, path),
    element("span", { class: "add-reason", dir: "auto" }, problem.message),
    element("code", {}, problem.code),
  );
}
