/**
 * The Markdown of a model card as elements: headings, paragraphs, lists, tables, code. Everything
 * goes in as text, so nothing in a card can become markup; links stay as they are written.
 */

import { element } from "../dom.js";

const FENCE = /^\s*```/;
const HEADING = /^(#{1,6})\s+(.*)$/;
const BULLET = /^\s*(?:[-*+]|\d+\.)\s+(.*)$/;
const TABLE_LINE = /^\s*\|.*\|\s*$/;
const TABLE_RULE = /^[\s|:-]+$/;
const INLINE = /(`[^`]+`|\*\*[^*]+\*\*)/;
/** The card stands under a heading of the third level. */
const DEEPER = 3;

/**
 * Return a text in Markdown as elements. A block of front matter is shown as code.
 *
 * @param {string} text
 * @returns {HTMLElement[]}
 */
export function markdown(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const found = [];
  let place = 0;
  if (lines[0] === "---" && lines.indexOf("---", 1) > 0) {
    place = lines.indexOf("---", 1) + 1;
    found.push(codeBlock(lines.slice(1, place - 1)));
  }
  while (place < lines.length) {
    const [block, next] = readBlock(lines, place);
    if (block) found.push(block);
    place = next;
  }
  return found;
}

function readBlock(lines, place) {
  const line = lines[place];
  if (!line.trim()) return [null, place + 1];
  if (FENCE.test(line)) {
    const end = untilNot(lines, place + 1, (one) => !FENCE.test(one));
    return [codeBlock(lines.slice(place + 1, end)), end + 1];
  }
  const heading = HEADING.exec(line);
  if (heading) {
    const level = Math.min(6, heading[1].length + DEEPER);
    return [element(`h${level}`, {}, ...inline(heading[2])), place + 1];
  }
  if (TABLE_LINE.test(line)) {
    const end = untilNot(lines, place, (one) => TABLE_LINE.test(one));
    return [table(lines.slice(place, end)), end];
  }
  if (BULLET.test(line)) {
    const end = untilNot(lines, place, (one) => one.trim() && !HEADING.test(one));
    return [list(lines.slice(place, end)), end];
  }
  const end = untilNot(lines, place, (one) => one.trim() && !isBlockStart(one));
  return [element("p", { dir: "auto" }, ...inline(lines.slice(place, end).join(" "))), end];
}

function isBlockStart(line) {
  return [FENCE, HEADING, TABLE_LINE, BULLET].some((pattern) => pattern.test(line));
}

function untilNot(lines, first, isPart) {
  let end = first;
  while (end < lines.length && isPart(lines[end])) end += 1;
  return end;
}

function list(lines) {
  const items = [];
  for (const line of lines) {
    const bullet = BULLET.exec(line);
    if (bullet || !items.length) items.push(bullet ? bullet[1] : line);
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return element("ul", {}, ...items.map((text) => element("li", { dir: "auto" }, ...inline(text))));
}

function table(lines) {
  const rows = lines.filter((line) => !TABLE_RULE.test(line)).map((line) => {
    return line.trim().slice(1, -1).split("|").map((cell) => cell.trim());
  });
  const [head, ...body] = rows;
  const cells = (row, tag) => row.map((cell) => element(tag, {}, ...inline(cell)));
  const whole = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...cells(head, "th"))),
    element("tbody", {}, ...body.map((row) => element("tr", {}, ...cells(row, "td")))),
  );
  return element("div", { class: "health-scroll", tabIndex: 0, role: "region", "aria-label": "Table of the card" }, whole);
}

function codeBlock(lines) {
  return element("pre", { tabIndex: 0 }, element("code", {}, lines.join("\n")));
}

function inline(text) {
  return text.split(INLINE).filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) return element("code", {}, part.slice(1, -1));
    if (part.length > 4 && part.startsWith("**") && part.endsWith("**")) return element("strong", {}, part.slice(2, -2));
    return part;
  });
}
