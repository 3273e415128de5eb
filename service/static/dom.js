/** The few helpers for building elements; text always goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an element.
 *
 * @param {string} tag
 * @param {Object<string, unknown>} [properties] `class`, `on<event>` listeners, DOM properties
 *   and, for names that are no property (such as `aria-label`), attributes.
 * @param {...(Node|string|null)} children `null` is left out
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "class") node.className = String(value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * Create an icon of the sprite in index.html; it is decoration, so it has no name.
 *
 * @param {string} name for example `close`
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Return the element of an id that index.html must have.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no element with the id ${id}`);
  return node;
}

/**
 * Show a message in a notice area, or hide the area.
 *
 * @param {HTMLElement} area
 * @param {{title: string, text?: string, tone?: "error"|"empty", code?: string,
 *   action?: {label: string, run: () => void}}|null} notice
 */
export function showNotice(area, notice) {
  area.hidden = !notice;
  area.replaceChildren();
  if (!notice) return;
  area.dataset.tone = notice.tone ?? "error";
  area.append(element("strong", {}, notice.title));
  if (notice.text) area.append(element("p", {}, notice.text));
  if (notice.code) area.append(element("pre", {}, element("code", {}, notice.code)));
  if (notice.action) {
    const { label, run } = notice.action;
    area.append(element("button", { type: "button", class: "quiet", onclick: run }, label));
  }
}

/**
 * Say whether the keyboard belongs to a text field at the moment.
 *
 * @param {EventTarget|null} target of a key event
 * @returns {boolean}
 */
export function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}
