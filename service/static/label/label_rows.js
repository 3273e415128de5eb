/** The labels of the form: each with other names, prompts of its own, and whether it is background. */

import { element, icon } from "../dom.js";

const PLACE = /^labels\[(\d+)\]/;

/** Rows that can be added, taken out and read. */
export class LabelRows {
  /**
   * @param {HTMLUListElement} list
   * @param {HTMLButtonElement} addButton
   */
  constructor(list, addButton) {
    this.list = list;
    this.addButton = addButton;
    addButton.addEventListener("click", () => {
      const row = labelRow("", {}, () => this.#afterRemoval());
      this.list.append(row);
      row.querySelector("input").focus();
    });
  }

  /**
   * Begin with these labels.
   *
   * @param {string[]} labels
   * @param {Object<string, object>} details of those that are more than a text
   */
  fill(labels, details) {
    const onRemove = () => this.#afterRemoval();
    const rows = labels.map((label) => labelRow(label, details[label] ?? {}, onRemove));
    this.list.replaceChildren(...rows);
  }

  /** @returns {(string|object)[]} the labels as the service takes them; empty rows are left out */
  read() {
    return this.#filled().map((row) => {
      const text = row.querySelector(".row-text").value.trim();
      const aliases = listOf(row.querySelector(".row-aliases").value, ",");
      const prompts = listOf(row.querySelector(".row-prompts").value, "\n");
      const background = row.querySelector(".row-background").checked;
      const isPlain = !aliases.length && !prompts.length && !background;
      return isPlain ? text : { text, aliases, prompts, background };
    });
  }

  /**
   * Mark the label that the service refused.
   *
   * @param {{param: string, message: string}} error
   */
  showError({ param, message }) {
    const filled = this.#filled();
    const place = PLACE.exec(param)?.[1];
    const named = filled.findLast((row) => {
      const text = row.querySelector(".row-text").value.trim();
      return text && message.includes(`'${text}'`);
    });
    const row = place ? filled[Number(place)] : named;
    const input = (row ?? this.list.firstElementChild)?.querySelector(".row-text");
    if (!input) {
      this.addButton.focus();
      return;
    }
    if (row) input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  /** Take the marks away. */
  clearErrors() {
    for (const input of this.list.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
    }
  }

  #filled() {
    return [...this.list.children].filter((row) => row.querySelector(".row-text").value.trim());
  }

  #afterRemoval() {
    this.addButton.focus();
  }
}

function labelRow(text, { aliases = [], prompts = [], background = false }, onRemove) {
  const named = (what) => (text ? `${what} of ${text}` : what);
  const field = element("input", {
    class: "row-text text-field",
    type: "text",
    dir: "auto",
    value: text,
    "aria-label": "Label",
    "aria-describedby": "set-labels-error",
  });
  const isBackground = element("input", { class: "row-background", type: "checkbox", checked: background });
  const remove = element(
    "button",
    {
      class: "round",
      type: "button",
      "aria-label": named("Remove the label").replace(" of", ""),
      onclick: () => {
        row.remove();
        onRemove();
      },
    },
    icon("close"),
  );
  const row = element(
    "li",
    {},
    field,
    element("label", { class: "check" }, isBackground, element("span", {}, "background")),
    remove,
    moreOf({ aliases, prompts }, named),
  );
  return row;
}

function moreOf({ aliases, prompts }, named) {
  const aliasField = element("input", {
    class: "row-aliases text-field",
    type: "text",
    dir: "auto",
    value: aliases.join(", "),
    "aria-label": named("Other names"),
    placeholder: "other names: kitten, tomcat",
  });
  const promptField = element("textarea", {
    class: "row-prompts text-field",
    rows: 2,
    dir: "auto",
    value: prompts.join("\n"),
    "aria-label": named("Prompts"),
    placeholder: "sentences of its own in place of the templates, one a line; {} is the label",
  });
  const more = element("details", {}, element("summary", {}, "Names and prompts"), aliasField, promptField);
  more.open = aliases.length > 0 || prompts.length > 0;
  return more;
}

function listOf(text, separator) {
  return text.split(separator).map((part) => part.trim()).filter(Boolean);
}
