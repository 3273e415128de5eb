/** The search box: words in the query language, a picture, and the parts as removable chips. */

import { byId, element, icon } from "../dom.js";
import { pickImages } from "../image_input.js";
import { termChip } from "./term_chip.js";
import { areWorthShowing, parseTerms } from "./terms.js";

const TYPING_PAUSE_MS = 180;

/** What the user asks for at the moment. */
export class QueryBox {
  /**
   * @param {(request: {query: string, image: File|null, isTyping: boolean}) => void} onSearch
   *   `isTyping` while the user has not said that the query is complete
   */
  constructor(onSearch) {
    this.onSearch = onSearch;
    this.image = null;
    this.preview = null;
    this.form = byId("search-form");
    this.input = byId("query");
    this.clear = byId("query-clear");
    this.terms = byId("query-terms");
    this.#listen();
  }

  /** Put the keyboard into the box. */
  focus() {
    this.input.focus();
    this.input.select();
  }

  /**
   * Show a query; the text under the user's fingers stays as it is.
   *
   * @param {string} query
   * @param {File|null} image
   */
  show(query, image) {
    if (this.input.value.trim() !== query) this.input.value = query;
    this.#showImage(image);
    this.#showTerms(query);
    this.#updateClear();
  }

  /**
   * Take a picture as part of the query.
   *
   * @param {File} image
   */
  takeImage(image) {
    this.#search({ image });
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search({});
    });
    this.input.addEventListener("input", () => {
      this.#updateClear();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#search({ isTyping: true }), TYPING_PAUSE_MS);
    });
    this.clear.addEventListener("click", () => {
      this.#search({ query: "", image: null });
      this.input.focus();
    });
    pickImages(byId("query-pick"), byId("query-file"), ([image]) => this.takeImage(image));
  }

  #search({ query = this.input.value.trim(), image = this.image, isTyping = false }) {
    clearTimeout(this.timer);
    this.onSearch({ query, image, isTyping });
  }

  #updateClear() {
    this.clear.hidden = !this.input.value && !this.image;
  }

  #showImage(image) {
    if (image === this.image) return;
    if (this.preview) URL.revokeObjectURL(this.preview);
    this.image = image;
    this.preview = image ? URL.createObjectURL(image) : null;
    const slot = byId("query-image");
    slot.hidden = !image;
    slot.replaceChildren();
    if (!image) return;
    const remove = element(
      "button",
      {
        type: "button",
        "aria-label": `Remove the picture ${image.name}`,
        title: "Remove the picture",
        onclick: () => this.#search({ image: null }),
      },
      icon("close"),
    );
    slot.append(element("img", { src: this.preview, alt: `Your picture ${image.name}` }), remove);
  }

  #showTerms(query) {
    const terms = parseTerms(query);
    this.terms.hidden = !areWorthShowing(terms);
    const onChange = (changed) => {
      this.#search({ query: changed });
      this.input.focus();
    };
    this.terms.replaceChildren(...terms.map((term) => termChip(term, query, onChange)));
  }
}
