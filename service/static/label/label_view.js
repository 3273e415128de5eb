/** The label view: pictures and words in, the word that fits each picture out. */

import { classify, isSuperseded, listItems } from "../api.js";
import { byId, element, showNotice } from "../dom.js";
import { pickImages } from "../image_input.js";
import { LabelCard } from "./label_card.js";
import { LabelField } from "./label_field.js";
import { loadChoice, saveChoice } from "./label_store.js";
import { pictures } from "../status.js";
import { captionOf } from "../search/tile.js";

const PICTURES_PER_REQUEST = 8;
const PAUSE_MS = 220;
const SAMPLES = 12;
const SAMPLES_SHOWN_AT_FIRST = 3;
const STATUSES_OF_ONE_PICTURE = new Set([413, 415, 422]);

/** Labels, settings and pictures; any change asks the service again. */
export class View {
  /** Read what was chosen last time and listen. */
  constructor() {
    this.cards = [];
    this.choice = loadChoice();
    this.isStarted = false;
    this.list = byId("label-cards");
    this.notice = byId("label-notice");
    this.summary = byId("label-summary");
    this.clearButton = byId("label-clear");
    this.field = new LabelField(this.choice.labels, () => this.#changed());
    this.templates = byId("template-set");
    this.#restore();
    this.templates.addEventListener("change", () => this.#changed());
    byId("label-mode").addEventListener("change", () => this.#changed());
    this.clearButton.addEventListener("click", () => this.#remove(this.cards));
    pickImages(byId("label-drop"), byId("label-file"), (files) => this.takeImages(files));
  }

  /** @returns {string} what dropping pictures here does */
  get dropText() {
    return "Drop to label";
  }

  /** Show the view; the first time it labels a few pictures of the gallery as an example. */
  async show() {
    if (this.isStarted) return;
    this.isStarted = true;
    const { items } = await listItems({ limit: SAMPLES, cursor: null }).catch(() => ({ items: [] }));
    if (!items.length) return;
    const files = await Promise.all(items.slice(0, SAMPLES_SHOWN_AT_FIRST).map(pictureFile));
    if (!this.cards.length) this.#add(files.filter(Boolean), true);
    byId("label-sample-list").replaceChildren(...items.map((item) => this.#sampleButton(item)));
    byId("label-samples").hidden = false;
  }

  /**
   * Label pictures of the user; they take the place of the examples.
   *
   * @param {File[]} files
   */
  takeImages(files) {
    this.#remove(this.cards.filter((card) => card.isSample));
    this.#add(files, false);
    // On a phone the answers are below the controls.
    this.list.scrollIntoView({ block: "nearest" });
  }

  #add(files, isSample) {
    const onRemove = (card) => this.#remove([card]);
    const cards = files.map((file) => new LabelCard(file, { isSample, onRemove }));
    this.cards.unshift(...cards);
    this.list.prepend(...cards.map((card) => card.element));
    this.#run();
  }

  #remove(cards) {
    const gone = new Set(cards);
    this.cards = this.cards.filter((card) => !gone.has(card));
    for (const card of gone) card.close();
    this.#summarise(null);
  }

  #restore() {
    const known = [...this.templates.options].some(({ value }) => value === this.choice.templateSet);
    if (known) this.templates.value = this.choice.templateSet;
    for (const radio of byId("label-mode").querySelectorAll("input")) {
      radio.checked = radio.value === this.choice.mode;
    }
    this.#readChoice();
  }

  #readChoice() {
    const mode = byId("label-mode").querySelector("input:checked")?.value ?? "single";
    this.choice = { labels: this.field.labels, templateSet: this.templates.value, mode };
    byId("template-hint").textContent = this.templates.selectedOptions[0].dataset.hint;
  }

  #changed() {
    this.#readChoice();
    saveChoice(this.choice);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#run(), PAUSE_MS);
  }

  async #run() {
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    showNotice(this.notice, this.#missing());
    if (this.#missing()) {
      for (const card of this.cards) card.reset();
      this.#summarise(null);
      return;
    }
    for (const card of this.cards) card.wait(this.choice.labels.length);
    try {
      await this.#askAll([...this.cards], signal);
    } catch (error) {
      if (isSuperseded(error)) return;
      for (const card of this.cards) card.reset();
      const action = { label: "Try again", run: () => this.#run() };
      showNotice(this.notice, { title: "The service could not label", text: error.message, action });
    }
  }

  #missing() {
    const isSingle = this.choice.mode === "single";
    if (this.choice.labels.length >= (isSingle ? 2 : 1) || !this.cards.length) return null;
    return {
      tone: "empty",
      title: isSingle ? "Give at least two labels" : "Give a label",
      text: "The scores compare your words with the picture, so there has to be something to say.",
    };
  }

  async #askAll(cards, signal) {
    let tookMs = 0;
    for (let start = 0; start < cards.length; start += PICTURES_PER_REQUEST) {
      const batch = cards.slice(start, start + PICTURES_PER_REQUEST);
      // One request after the other: the answers come in order and the service stays free.
      tookMs += await this.#ask(batch, signal);
      this.#summarise(tookMs);
    }
  }

  async #ask(batch, signal) {
    const images = batch.map((card) => card.file);
    try {
      const { results, took_ms: tookMs } = await classify({ ...this.choice, images, signal });
      results.forEach((result, index) => batch[index].show(result));
      return tookMs;
    } catch (error) {
      if (batch.length > 1 || !STATUSES_OF_ONE_PICTURE.has(error.status)) throw error;
      batch[0].fail(error.message);
      return 0;
    }
  }

  #summarise(tookMs) {
    const count = this.cards.length;
    this.clearButton.hidden = !count;
    const parts = [pictures(count), `${this.choice.labels.length} labels`];
    if (tookMs) parts.push(`${Math.round(tookMs)} ms`);
    this.summary.textContent = count ? parts.join(" \u00b7 ") : "";
  }

  #sampleButton(item) {
    const caption = captionOf(item);
    const onclick = async () => {
      const file = await pictureFile(item);
      if (file) this.#add([file], true);
    };
    const picture = element("img", { src: item.thumbnail_url, alt: "", loading: "lazy" });
    const properties = { type: "button", "aria-label": `Label: ${caption}`, title: caption, onclick };
    return element("button", properties, picture);
  }
}

async function pictureFile(item) {
  const response = await fetch(item.image_url).catch(() => null);
  if (!response?.ok) return null;
  const blob = await response.blob();
  return new File([blob], captionOf(item), { type: blob.type });
}
