/** How labels are scored: prompt templates, one or any, and the least score. */

import { byId, element } from "../dom.js";
import { percent } from "./verdict.js";

/** The templates that a saved set brings itself. */
const OF_THE_SET = "";

/** The settings beside the labels. */
export class LabelSettings {
  /**
   * @param {import("./label_store.js").Choice} choice of the last visit
   * @param {{onChange: () => void, onLeastScore: () => void}} options the least score needs no new
   *   answer
   */
  constructor(choice, { onChange, onLeastScore }) {
    this.own = choice.templateSet;
    this.sets = [];
    this.templates = byId("template-set");
    this.slider = byId("least-score");
    for (const radio of byId("label-mode").querySelectorAll("input")) {
      radio.checked = radio.value === choice.mode;
    }
    this.slider.value = String(Math.round(choice.leastScore * 100));
    this.#tellScore();
    this.templates.addEventListener("change", () => {
      if (!this.setTemplates) this.own = this.templates.value;
      this.#tellTemplates();
      onChange();
    });
    byId("label-mode").addEventListener("change", onChange);
    this.slider.addEventListener("input", () => {
      this.#tellScore();
      onLeastScore();
    });
  }

  /**
   * Offer the template sets of the service.
   *
   * @param {{default: string, template_sets: object[]}} answer
   */
  offer({ default: usual, template_sets: sets }) {
    this.sets = sets;
    if (!sets.some(({ name }) => name === this.own)) this.own = usual;
    this.useTemplatesOf(null);
  }

  /**
   * Offer the templates of a saved set beside the others, and choose them; or those of own labels.
   *
   * @param {{template_set: string, templates: string[]}|null} content of the saved set
   */
  useTemplatesOf(content) {
    this.setTemplates = content;
    const options = this.sets.map(({ name }) => element("option", { value: name }, name));
    if (content) {
      options.unshift(element("option", { value: OF_THE_SET }, "of the set"));
    }
    this.templates.replaceChildren(...options);
    this.templates.value = content ? OF_THE_SET : this.own;
    this.#tellTemplates();
  }

  /** @param {string} name of the template set to use from now on */
  choose(name) {
    this.templates.value = name;
    this.templates.dispatchEvent(new Event("change"));
  }

  /** @returns {string|null} name of the chosen templates; `null`: those of the saved set */
  get templateSet() {
    return this.templates.value || null;
  }

  /** @returns {string[]} the chosen templates */
  get chosenTemplates() {
    if (this.setTemplates && !this.templateSet) return this.setTemplates.templates;
    return this.sets.find(({ name }) => name === this.templateSet)?.templates ?? [];
  }

  /** @returns {"single"|"multi"} */
  get mode() {
    return byId("label-mode").querySelector("input:checked")?.value ?? "single";
  }

  /** @returns {number} share under which no label is given */
  get leastScore() {
    return Number(this.slider.value) / 100;
  }

  #tellScore() {
    byId("least-score-value").textContent = percent(this.leastScore);
  }

  #tellTemplates() {
    const chosen = this.sets.find(({ name }) => name === this.templateSet);
    const count = this.chosenTemplates.length;
    const sentences = `${count} ${count === 1 ? "sentence" : "sentences"} for each label`;
    byId("template-hint").textContent = chosen ? `${sentences}: ${chosen.description}.` : `${sentences}.`;
  }
}
