/** The field of labels: chips, with a text field that makes more of them. */

import { byId, element, icon } from "../dom.js";
import { PRESETS } from "./label_store.js";

/** The labels that are in use, in the order they were given. */
export class LabelField {
  /**
   * @param {string[]} labels to start with
   * @param {() => void} onChange
   */
  constructor(labels, onChange) {
    this.labels = [...labels];
    this.onChange = onChange;
    this.input = byId("label-input");
    this.list = byId("label-list");
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("input", () => this.#takeFinished());
    this.input.addEventListener("paste", (event) => this.#onPaste(event));
    this.input.addEventListener("blur", () => this.#takeAll());
    byId("label-field").addEventListener("click", (event) => {
      if (event.target === event.currentTarget || event.target === this.list) this.input.focus();
    });
    byId("label-presets").append(...PRESETS.map((preset) => this.#presetButton(preset)));
    this.#draw();
  }

  #onKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.#takeAll();
    }
    if (event.key === "Backspace" && !this.input.value && this.labels.length) {
      this.#change(this.labels.slice(0, -1));
    }
  }

  /** A comma ends a label while the next one is being typed. */
  #takeFinished() {
    if (!this.input.value.includes(",")) return;
    const parts = this.input.value.split(",");
    this.input.value = parts.pop().trimStart();
    this.#add(parts);
  }

  #takeAll() {
    const text = this.input.value;
    this.input.value = "";
    this.#add(text.split(","));
  }

  #onPaste(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[\n,;\t]/.test(text)) return;
    event.preventDefault();
    this.#add(text.split(/[\n,;\t]/));
  }

  #add(texts) {
    const added = texts.map((text) => text.trim().replace(/\s+/g, " ")).filter(Boolean);
    const labels = [...new Set([...this.labels, ...added])];
    if (labels.length !== this.labels.length) this.#change(labels);
  }

  #change(labels) {
    this.labels = labels;
    this.#draw();
    this.onChange();
  }

  #draw() {
    this.list.replaceChildren(...this.labels.map((label) => this.#chip(label)));
    for (const button of byId("label-presets").children) {
      const isOn = button.value === JSON.stringify(this.labels);
      button.setAttribute("aria-pressed", String(isOn));
    }
  }

  #chip(label) {
    const remove = () => {
      this.#change(this.labels.filter((other) => other !== label));
      this.input.focus();
    };
    const properties = { type: "button", "aria-label": `Remove ${label}`, onclick: remove };
    const button = element("button", properties, icon("close"));
    return element("li", { class: "chip" }, element("span", {}, label), button);
  }

  #presetButton({ name, labels }) {
    const value = JSON.stringify(labels);
    const onclick = () => this.#change([...labels]);
    return element("button", { type: "button", value, "aria-pressed": "false", onclick }, name);
  }
}
