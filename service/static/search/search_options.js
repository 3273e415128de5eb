/** Beside the box: how to search, what to leave out, and how sure to be. */

import { byId, element, icon } from "../dom.js";
import { FilterPanel } from "./filter_panel.js";
import { filterParts } from "./filter_words.js";
import { withCondition } from "./filters.js";

/** The switch of modes, the filters as chips, and the slider of the cut-off line. */
export class SearchOptions {
  /**
   * @param {{onChange: (change: {mode?: string, filter?: object|null}) => void,
   *   onCutoff: (cutoff: number, isFinal: boolean) => void}} actions
   */
  constructor({ onChange, onCutoff }) {
    this.onChange = onChange;
    this.onCutoff = onCutoff;
    this.filter = null;
    this.modes = byId("search-mode");
    this.chips = byId("filter-chips");
    this.slider = byId("cutoff");
    this.panel = new FilterPanel((filter) => onChange({ filter }));
    this.modes.addEventListener("change", (event) => onChange({ mode: event.target.value }));
    byId("filter-open").addEventListener("click", () => this.panel.open(this.filter));
    this.slider.addEventListener("input", () => this.#moveCutoff(false));
    this.slider.addEventListener("change", () => this.#moveCutoff(true));
  }

  /**
   * Show what the address says.
   *
   * @param {{mode: string, filter: object|string|null, cutoff: number}} route
   */
  show({ mode, filter, cutoff }) {
    this.filter = filter;
    for (const radio of this.modes.querySelectorAll("input")) radio.checked = radio.value === mode;
    const parts = filterParts(filter);
    this.chips.hidden = !parts.length;
    this.chips.replaceChildren(...parts.map((part) => this.#chip(part)));
    this.panel.show(filter);
    this.#showCutoff(cutoff);
  }

  /** Show the slider only where hits have a confidence. */
  set hasConfidence(isKnown) {
    byId("cutoff-field").hidden = !isKnown;
  }

  #moveCutoff(isFinal) {
    const cutoff = Number(this.slider.value) / 100;
    this.#showCutoff(cutoff);
    this.onCutoff(cutoff, isFinal);
  }

  #showCutoff(cutoff) {
    const percent = Math.round(cutoff * 100);
    this.slider.value = String(percent);
    byId("cutoff-value").textContent = `${percent} %`;
  }

  #chip({ field, text, isJoint }) {
    const isNamed = field && !isJoint;
    const name = isNamed ? `${field}: ${text}` : text;
    const edit = element(
      "button",
      {
        type: "button",
        class: "chip-text",
        "aria-label": `Edit the filter ${name}`,
        onclick: () => this.panel.open(this.filter, field),
      },
      isNamed ? element("span", { class: "chip-field-name" }, field) : null,
      element("bdi", {}, text),
    );
    const remove = element(
      "button",
      {
        type: "button",
        class: "chip-remove",
        "aria-label": `Remove the filter ${name}`,
        onclick: () => {
          this.onChange({ filter: withCondition(this.filter, field, null) });
          byId("filter-open").focus();
        },
      },
      icon("close"),
    );
    return element("li", { class: "chip chip-filter" }, edit, remove);
  }
}
