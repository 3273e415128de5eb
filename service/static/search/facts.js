/** What is known of a picture: its id and its metadata, each value a filter of its own. */

import { element, icon } from "../dom.js";

/**
 * Create the terms and values of a picture's description list.
 *
 * @param {{id: string, metadata?: object}} hit
 * @param {(field: string, value: string|number|boolean) => void} onFilter
 * @returns {HTMLElement[]}
 */
export function factParts({ id, metadata = {} }, onFilter) {
  const own = [element("dt", {}, "id"), element("dd", { dir: "auto" }, id)];
  const others = Object.entries(metadata).flatMap(([name, value]) => {
    const text = element("dd", { dir: "auto" }, factValue(factText(value)));
    if (isScalar(value) && !isLink(value)) text.append(filterButton(name, value, onFilter));
    return [element("dt", { dir: "auto" }, name), text];
  });
  return [...own, ...others];
}

function isLink(value) {
  return /^https?:\/\//.test(value);
}

function isScalar(value) {
  return ["string", "number", "boolean"].includes(typeof value);
}

function filterButton(name, value, onFilter) {
  const label = `Only pictures with ${name} ${value}`;
  const onclick = () => onFilter(name, value);
  const properties = { type: "button", class: "fact-filter", "aria-label": label, title: label };
  return element("button", { ...properties, onclick }, icon("filter"));
}

function factText(value) {
  if (Array.isArray(value)) return value.map(factText).join("; ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

function factValue(text) {
  if (!isLink(text)) return text;
  return element("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text);
}
