/** One part of the query as a chip: read it, edit it, take it out. */

import { element, icon } from "../dom.js";
import { termText, withTermText, withoutTerm } from "./terms.js";

/**
 * Create the chip of a part of the query.
 *
 * @param {import("./terms.js").Part} term
 * @param {string} query that the part stands in
 * @param {(query: string) => void} onChange takes the query without the part or with another one
 * @returns {HTMLLIElement}
 */
export function termChip(term, query, onChange) {
  const chip = element("li", { class: "chip" });
  const edit = element(
    "button",
    {
      type: "button",
      class: "chip-text",
      title: "Edit",
      "aria-label": `Edit ${nameOf(term)}`,
      onclick: () => startEditing(chip, term, query, onChange),
    },
    ...chipBody(term),
  );
  const remove = element(
    "button",
    {
      type: "button",
      class: "chip-remove",
      "aria-label": `Remove ${term.text}`,
      onclick: () => onChange(withoutTerm(query, term)),
    },
    icon("close"),
  );
  chip.append(edit, remove);
  chip.dataset.sign = term.weight < 0 ? "minus" : "plus";
  return chip;
}

function startEditing(chip, term, query, onChange) {
  const text = termText(query, term);
  const [edit, remove] = chip.children;
  const field = element("input", {
    type: "text",
    class: "chip-field",
    value: text,
    size: Math.max(4, text.length + 1),
    dir: "auto",
    spellcheck: false,
    "aria-label": `Edit ${nameOf(term)}; Enter keeps it, Escape does not`,
    oninput: () => {
      field.size = Math.max(4, field.value.length + 1);
    },
  });
  const finish = () => {
    chip.replaceChildren(edit, remove);
    edit.focus();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape" || field.value.trim() === text) finish();
    else onChange(withTermText(query, term, field.value.trim()));
  });
  chip.replaceChildren(field);
  field.focus();
  field.select();
}

function chipBody(term) {
  const { text, kind, weight } = term;
  const mark = weightMark(weight);
  return [
    kind === "id" ? chipPicture(text) : null,
    mark ? element("b", {}, mark) : null,
    element("bdi", {}, nameOf(term)),
  ].filter(Boolean);
}

function nameOf({ text, kind, weight }) {
  return kind === "id" ? `${weight < 0 ? "unlike" : "like"} ${text}` : text;
}

function weightMark(weight) {
  const size = Math.abs(weight);
  return `${weight < 0 ? "\u2212" : ""}${size === 1 ? "" : `${size}\u00d7`}`;
}

function chipPicture(id) {
  return element("img", {
    src: `/v1/items/${encodeURIComponent(id)}/thumbnail?size=160`,
    alt: "",
    onerror: (event) => event.target.remove(),
  });
}
