/** What one metadata field can be filtered by: values to tick, a range, or how a text begins. */

import { element } from "../dom.js";
import { chosenValues, withCondition, withValue } from "./filters.js";

const FEW = 12;

/**
 * Create the controls of a field.
 *
 * @param {{name: string, values: {value: string|number|boolean, items: number}[], more: boolean,
 *   filter: () => object|string|null, onChange: (filter: object|null) => void}} options `more`
 *   when there are further values
 * @returns {HTMLElement[]}
 */
export function fieldConditions(options) {
  const { values, more } = options;
  if (!values.length) return [hint("No values that can be chosen.")];
  const numbers = values.filter(({ value }) => typeof value === "number");
  const isNumeric = numbers.length === values.length;
  const parts = [];
  if (isNumeric && values.length > 1) parts.push(range(options));
  else if (more) parts.push(beginning(options));
  parts.push(choices(options));
  if (more) parts.push(hint(`The ${values.length} most frequent values.`));
  return parts;
}

function choices({ name, values, filter, onChange }) {
  const chosen = chosenValues(filter(), name);
  const rows = values.map(({ value, items }) => {
    const box = element("input", {
      type: "checkbox",
      value: JSON.stringify(value),
      checked: chosen.includes(value),
      onchange: () => onChange(withValue(filter(), name, value, box.checked)),
    });
    const text = element("bdi", {}, value === "" ? "(empty)" : String(value));
    const count = element("span", { class: "filter-count" }, items.toLocaleString("en"));
    return element("li", {}, element("label", {}, box, text, count));
  });
  const list = element("ul", { class: "filter-choices" }, ...rows);
  if (values.length <= FEW) return list;
  return element("div", {}, finder(name, rows), list);
}

function finder(name, rows) {
  const find = element("input", {
    type: "search",
    class: "filter-find",
    placeholder: "Find a value",
    "aria-label": `Find a value of ${name}`,
    oninput: () => {
      const wanted = find.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    },
  });
  return find;
}

function range({ name, filter, onChange }) {
  const condition = conditionOf(filter(), name);
  const change = () => {
    const wanted = {};
    if (from.value !== "") wanted.gte = Number(from.value);
    if (to.value !== "") wanted.lte = Number(to.value);
    const isSet = Object.keys(wanted).length > 0;
    onChange(withCondition(filter(), name, isSet ? wanted : null));
  };
  const from = bound(`${name} from`, condition.gte, change);
  const to = bound(`${name} to`, condition.lte, change);
  return element("div", { class: "filter-range" }, from, element("span", {}, "to"), to);
}

function bound(label, value, onchange) {
  return element("input", {
    type: "number",
    step: "any",
    class: "filter-condition",
    "aria-label": label,
    value: value ?? "",
    onchange,
  });
}

function beginning({ name, filter, onChange }) {
  const field = element("input", {
    type: "text",
    class: "filter-condition filter-find",
    dir: "auto",
    placeholder: "Begins with",
    "aria-label": `${name} begins with`,
    value: conditionOf(filter(), name).prefix ?? "",
    onchange: () => {
      const prefix = field.value.trim();
      onChange(withCondition(filter(), name, prefix ? { prefix } : null));
    },
  });
  return field;
}

function conditionOf(filter, name) {
  const condition = typeof filter === "object" ? filter?.[name] : null;
  return typeof condition === "object" && condition !== null ? condition : {};
}

function hint(text) {
  return element("p", { class: "hint" }, text);
}
