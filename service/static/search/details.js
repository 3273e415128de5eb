/** One picture large: what is known of it, why it was found, and what is near to it. */

import { isSuperseded, search } from "../api.js";
import { byId, element, isTyping } from "../dom.js";
import { imageAddress, thumbnailAddress } from "../picture_address.js";
import { routeAddress } from "../route.js";
import { copyLink } from "./copy_link.js";
import { factParts } from "./facts.js";
import { idTerm } from "./terms.js";
import { captionOf } from "./tile.js";
import { scoreParts, whyParts } from "./why.js";

const NEIGHBOURS = 8;
const MOST_ENLARGED = 2;
const NEIGHBOUR_PX = 80;

/** The dialog over the grid. */
export class Details {
  /**
   * @param {{marks: import("./hit_marks.js").HitMarks, onStep: (id: string) => void, onClose: () => void, onMore: (id: string) => void,
   *   onLess: (id: string) => void, onFilter: (field: string, value: unknown) => void}} actions
   */
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("details");
    this.id = null;
    this.isHit = false;
    this.steps = { previous: null, next: null };
    this.#listen();
  }

  /**
   * Show a picture.
   *
   * @param {string} id
   * @param {{hit: object|null, previous?: object|null, next?: object|null,
   *   question: {query: string, image: File|null, mode: string}}} context `hit` is null until it
   *   is known
   */
  show(id, { hit, previous = null, next = null, question }) {
    this.id = id;
    this.hit = hit;
    this.question = question;
    this.isHit = typeof hit?.score === "number";
    this.showSteps({ previous, next });
    // Without a query there is nothing to push away from.
    byId("details-less").hidden = !question.query && !question.image;
    byId("details-copy-text").textContent = "Copy link";
    this.#describe(hit ?? { id, caption: "Loading" });
    if (!this.dialog.open) this.dialog.showModal();
    if (hit) this.#showNeighbours(id);
  }

  /**
   * Show where the arrows lead.
   *
   * @param {{previous: object|null, next: object|null}} steps
   */
  showSteps({ previous, next }) {
    this.steps = { previous, next };
    byId("details-previous").hidden = !previous;
    byId("details-next").hidden = !next;
  }

  /**
   * Say that the picture could not be had.
   *
   * @param {Error} error
   */
  fail(error) {
    byId("details-caption").textContent = error.message;
  }

  /** Close the dialog. */
  hide() {
    this.id = null;
    this.request?.abort();
    if (this.dialog.open) this.dialog.close();
  }

  #listen() {
    const press = (id, run) => byId(id).addEventListener("click", run);
    press("details-close", () => this.actions.onClose());
    press("details-more", () => this.actions.onMore(this.id));
    press("details-less", () => this.actions.onLess(this.id));
    press("details-copy", () => {
      copyLink(byId("details-copy-text"), routeAddress({ item: this.id }));
    });
    press("details-previous", () => this.#step("previous"));
    press("details-next", () => this.#step("next"));
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.actions.onClose();
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.actions.onClose();
    });
    this.dialog.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event) {
    if (isTyping(event.target) || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") this.#step("previous");
    if (event.key === "ArrowRight") this.#step("next");
    if (event.key === "m") this.actions.onMore(this.id);
    if (event.key === "l" && !byId("details-less").hidden) this.actions.onLess(this.id);
    if (this.isHit) this.actions.marks.takeKey(event.key, this.hit);
  }

  #step(side) {
    const hit = this.steps[side];
    if (hit) this.actions.onStep(hit.id);
  }

  #describe(hit) {
    const caption = captionOf(hit);
    const image = byId("details-image");
    image.alt = caption;
    if (hit.image_url) image.src = imageAddress(hit);
    else image.removeAttribute("src");
    // A small picture is enlarged only as far as it stays a picture.
    image.onload = () => {
      image.style.setProperty("--most", `${Math.max(image.naturalWidth, 240) * MOST_ENLARGED}px`);
    };
    byId("details-caption").textContent = caption;
    byId("details-original").href = hit.image_url ? imageAddress(hit) : "#";
    byId("details-score").replaceChildren(...scoreParts(hit, this.question.mode));
    byId("details-facts").replaceChildren(...factParts(hit, this.actions.onFilter));
    const controls = this.isHit ? this.actions.marks.controls(hit) : null;
    byId("details-marks").hidden = !controls;
    byId("details-marks").replaceChildren(...(controls ? [controls] : []));
    const why = byId("details-why");
    why.replaceChildren(...whyParts(hit, this.question));
    why.hidden = !why.childElementCount;
  }

  async #showNeighbours(id) {
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const area = byId("details-near");
    area.hidden = true;
    try {
      const query = idTerm(id, 1);
      const { hits } = await search({ query, k: NEIGHBOURS + 1, signal });
      const others = hits.filter((hit) => hit.id !== id).slice(0, NEIGHBOURS);
      byId("details-neighbours").replaceChildren(...others.map((hit) => this.#neighbour(hit)));
      area.hidden = !others.length;
    } catch (error) {
      // The picture itself is there; without its neighbours the panel is only shorter.
      if (!isSuperseded(error)) area.hidden = true;
    }
  }

  #neighbour(hit) {
    const caption = captionOf(hit);
    const picture = element("img", {
      src: thumbnailAddress(hit, NEIGHBOUR_PX),
      alt: caption,
      title: caption,
    });
    const onclick = () => this.actions.onStep(hit.id);
    return element("li", {}, element("button", { type: "button", onclick }, picture));
  }
}
