/** The dialog of filters: the metadata fields that exist, and the values they have. */

import { getFieldValues, getFields } from "../api.js";
import { byId, element } from "../dom.js";
import { fieldConditions } from "./filter_field.js";
import { filterParts } from "./filter_words.js";
import { chosenValues } from "./filters.js";

const MOST_VALUES = 100;
const NO_FIELDS = "These pictures have no metadata to filter by.";

/** What can be filtered by; each choice takes effect at once. */
export class FilterPanel {
  /** @param {(filter: object|null) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.filter = null;
    this.dialog = byId("filter-dialog");
    this.list = byId("filter-fields");
    byId("filter-done").addEventListener("click", () => this.dialog.close());
    byId("filter-clear").addEventListener("click", () => this.onChange(null));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  /**
   * Open the dialog.
   *
   * @param {object|string|null} filter
   * @param {string} [field] whose values to show at once
   */
  async open(filter, field = "") {
    this.filter = filter;
    byId("filter-clear").disabled = !filter;
    if (!this.dialog.open) this.dialog.showModal();
    const message = byId("filter-message");
    message.textContent = "Loading";
    this.list.replaceChildren();
    try {
      const { fields } = await getFields();
      this.list.replaceChildren(...fields.map((one) => this.#field(one, field)));
      message.textContent = fields.length ? "" : NO_FIELDS;
    } catch (error) {
      message.textContent = error.message;
    }
  }

  /**
   * Show a filter that was changed elsewhere.
   *
   * @param {object|string|null} filter
   */
  show(filter) {
    this.filter = filter;
    byId("filter-clear").disabled = !filter;
    const fields = new Set(filterParts(filter).map(({ field }) => field));
    for (const area of this.list.children) {
      area.classList.toggle("is-chosen", fields.has(area.dataset.field));
      const chosen = chosenValues(filter, area.dataset.field);
      for (const box of area.querySelectorAll("input[type=checkbox]")) {
        box.checked = chosen.includes(JSON.parse(box.value));
      }
      if (fields.has(area.dataset.field)) continue;
      for (const input of area.querySelectorAll(".filter-condition")) input.value = "";
    }
  }

  #field({ name, items }, wanted) {
    const values = element("div", { class: "filter-values" });
    const summary = element(
      "summary",
      {},
      element("bdi", {}, name),
      element("span", { class: "filter-count" }, items.toLocaleString("en")),
    );
    const area = element("details", { class: "filter-field" }, summary, values);
    area.dataset.field = name;
    const isChosen = filterParts(this.filter).some(({ field }) => field === name);
    area.classList.toggle("is-chosen", isChosen);
    area.addEventListener("toggle", () => {
      if (area.open && !values.childElementCount) this.#load(name, values);
    });
    area.open = name === wanted || isChosen;
    return area;
  }

  async #load(name, area) {
    area.replaceChildren(element("p", { class: "hint" }, "Loading"));
    try {
      const { values, more } = await getFieldValues(name, MOST_VALUES);
      const options = { name, values, more, filter: () => this.filter, onChange: this.onChange };
      area.replaceChildren(...fieldConditions(options));
    } catch (error) {
      area.replaceChildren(element("p", { class: "hint", role: "alert" }, error.message));
    }
  }
}
