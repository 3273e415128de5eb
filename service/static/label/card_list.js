/** The cards of all pictures. */

import { byId } from "../dom.js";
import { LabelCard } from "./label_card.js";
import { PreviewQueue } from "./preview_queue.js";

/** Keeps the cards in the order of their pictures, the newest first. */
export class CardList {
  /**
   * @param {{labels: () => string[], look: () => object, onChange: () => void}} options `onChange`:
   *   pictures went, or somebody said what one shows
   */
  constructor({ labels, look, onChange }) {
    this.onChange = onChange;
    this.cards = [];
    this.list = byId("label-cards");
    this.previews = new PreviewQueue();
    this.options = {
      labels,
      look,
      onRemove: (card) => this.#remove([card]),
      onTruth: () => onChange(),
    };
  }

  /** @returns {import("./picture.js").Picture[]} */
  get pictures() {
    return this.cards.map(({ picture }) => picture);
  }

  /**
   * Return the preview of a picture.
   *
   * @param {import("./picture.js").Picture} picture
   * @returns {HTMLImageElement|null}
   */
  imageOf(picture) {
    return this.cards.find((card) => card.picture === picture)?.image ?? null;
  }

  /** @param {import("./picture.js").Picture[]} pictures to put in front */
  add(pictures) {
    const cards = pictures.map((picture) => new LabelCard(picture, this.options));
    this.cards.unshift(...cards);
    this.list.prepend(...cards.map((card) => card.element));
    for (const card of cards) card.drawPreview(this.previews);
  }

  /** Take away pictures of the gallery that nobody said anything of. */
  removeExamples() {
    this.#take(this.cards.filter(({ picture }) => picture.isExample && !picture.isKnown));
  }

  /** Take all pictures away. */
  clear() {
    this.#remove([...this.cards]);
  }

  /** Show that answers are on their way. */
  wait(labels) {
    for (const card of this.cards) card.wait(labels);
  }

  /** Take all answers away. */
  reset() {
    for (const card of this.cards) card.reset();
  }

  /** Take back the promise of cards that got no answer. */
  settle() {
    for (const card of this.cards) {
      if (card.element.getAttribute("aria-busy") === "true" && !card.picture.result) card.reset();
      else card.element.setAttribute("aria-busy", "false");
    }
  }

  /** Read all answers again. */
  redraw() {
    for (const card of this.cards) card.redraw();
  }

  /** Show what is right, where it was said elsewhere. */
  redrawTruths() {
    for (const card of this.cards) card.redrawTruth();
  }

  #remove(cards) {
    this.#take(cards);
    this.onChange();
  }

  #take(cards) {
    const gone = new Set(cards);
    this.cards = this.cards.filter((card) => !gone.has(card));
    for (const card of gone) card.close();
  }
}
