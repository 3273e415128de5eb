/** The form that saves a label set: name, labels with what belongs to them, templates. */

import { ApiError } from "../api.js";
import { byId, element } from "../dom.js";
import { saveLabelSet } from "./label_api.js";
import { LabelRows } from "./label_rows.js";

const OWN = "";
const FIELDS = ["name", "labels", "templates", "concept"];

/** Makes a new set, or the next version of one that there is. */
export class LabelSetForm {
  /** @param {(saved: object) => void} onSaved */
  constructor(onSaved) {
    this.onSaved = onSaved;
    this.dialog = byId("label-set-dialog");
    this.rows = new LabelRows(byId("set-labels"), byId("set-add-label"));
    this.name = byId("set-name");
    this.templateSet = byId("set-template-set");
    this.templates = byId("set-templates");
    this.concept = byId("set-concept");
    this.templateSet.addEventListener("change", () => this.#showTemplates());
    byId("label-set-cancel").addEventListener("click", () => this.dialog.close());
    byId("label-set-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
  }

  /**
   * Open the form.
   *
   * @param {{content: object|null, labels: string[], templateSet: string|null,
   *   templateSets: object[]}} start `content` is a saved set to make the next version of
   */
  open({ content, labels, templateSet, templateSets }) {
    byId("label-set-title").textContent = content ? `Change ${content.name}` : "Save a label set";
    const known = templateSets.map(({ name }) => element("option", { value: name }, name));
    this.templateSet.replaceChildren(...known, element("option", { value: OWN }, "of my own"));
    const wanted = content ? content.template_set : templateSet;
    this.templateSet.value = templateSets.some(({ name }) => name === wanted) ? wanted : OWN;
    this.templates.value = this.templateSet.value === OWN ? (content?.templates ?? []).join("\n") : "";
    this.name.value = content?.name ?? "";
    this.concept.value = "";
    this.rows.fill(content ? content.labels : labels, content?.details ?? {});
    this.#clearErrors();
    this.#showTemplates();
    this.dialog.showModal();
    this.name.focus();
  }

  #showTemplates() {
    const isOwn = this.templateSet.value === OWN;
    this.templates.hidden = !isOwn;
    byId("set-templates-hint").hidden = !isOwn;
  }

  async #save() {
    this.#clearErrors();
    if (!this.name.value.trim()) {
      this.#showError(new ApiError(0, { message: "give the set a name", param: "name" }));
      return;
    }
    try {
      const saved = await saveLabelSet(this.#content());
      this.dialog.close();
      this.onSaved(saved);
    } catch (error) {
      this.#showError(error);
    }
  }

  #content() {
    const content = { name: this.name.value.trim(), labels: this.rows.read() };
    if (this.templateSet.value === OWN) {
      content.templates = this.templates.value.split("\n").filter((line) => line.trim());
    } else {
      content.template_set = this.templateSet.value;
    }
    if (this.concept.value.trim()) content.concept = this.concept.value.trim();
    return content;
  }

  #clearErrors() {
    for (const id of [...FIELDS.map((field) => `set-${field}-error`), "set-error"]) {
      document.getElementById(id).hidden = true;
    }
    for (const field of [this.name, this.templates, this.concept]) field.removeAttribute("aria-invalid");
    this.rows.clearErrors();
  }

  /** Put the message where the mistake is; the service names the field as `labels[2]`. */
  #showError(error) {
    const field = FIELDS.find((one) => error.param?.split(/[[.]/)[0] === one);
    const area = document.getElementById(field ? `set-${field}-error` : "set-error");
    area.textContent = error.message;
    area.hidden = false;
    if (field === "labels") {
      this.rows.showError(error);
      return;
    }
    const input = { name: this.name, templates: this.templates, concept: this.concept }[field];
    if (!input) return;
    input.setAttribute("aria-invalid", "true");
    const folded = input.closest("details");
    if (folded) folded.open = true;
    input.focus();
  }
}
