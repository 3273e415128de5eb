/** A small reliability diagram: how often pictures of a score are right, against the score. */

import { percent } from "./verdict.js";

const SVG = "http://www.w3.org/2000/svg";
const SIDE = 120;
const LEFT = 26;
const BOTTOM = 16;
const TOP = 4;

/**
 * Draw a diagram. Bars on the diagonal mean that the scores are as sure as they are right.
 *
 * @param {{ece: number, bins: {low: number, high: number, images: number, confidence: number,
 *   accuracy: number}[]}} reliability
 * @param {string} title
 * @returns {SVGElement}
 */
export function reliabilityDiagram({ ece, bins }, title) {
  const svg = shape("svg", {
    class: "reliability",
    viewBox: `0 0 ${LEFT + SIDE + 4} ${TOP + SIDE + BOTTOM}`,
    role: "img",
    "aria-label": `${title}: calibration error ${percent(ece)}. ${inWords(bins)}`,
  });
  svg.append(...frame());
  const most = Math.max(...bins.map(({ images }) => images));
  for (const bin of bins) svg.append(...bar(bin, most));
  svg.append(
    shape("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    text("0", x(0), y(0) + 12, "start"),
    text("score", x(0.5), y(0) + 12, "middle"),
    text("1", x(1), y(0) + 12, "end"),
    text("right", LEFT - 3, y(0.5) + 3, "end"),
  );
  return svg;
}

function frame() {
  return [0, 0.5, 1].map((share) =>
    shape("line", { class: "rule", x1: x(0), y1: y(share), x2: x(1), y2: y(share) }),
  );
}

function bar({ low, high, images, confidence, accuracy }, most) {
  const box = (from, to, kind) =>
    shape("rect", {
      class: kind,
      x: x(low) + 0.5,
      y: y(to),
      width: x(high) - x(low) - 1,
      height: Math.max(0.8, y(from) - y(to)),
    });
  const own = box(0, accuracy, "share");
  // A bin of few pictures says little, so it is paler.
  own.setAttribute("opacity", (0.35 + (0.65 * images) / most).toFixed(3));
  const [least, largest] = [Math.min(confidence, accuracy), Math.max(confidence, accuracy)];
  return [own, box(least, largest, "gap")];
}

function inWords(bins) {
  return bins
    .map(({ images, confidence, accuracy }) => {
      const count = `${images} ${images === 1 ? "picture" : "pictures"}`;
      return `${count} scored ${percent(confidence)}: ${percent(accuracy)} right`;
    })
    .join("; ");
}

function x(share) {
  return LEFT + share * SIDE;
}

function y(share) {
  return TOP + (1 - share) * SIDE;
}

function text(words, left, top, anchor) {
  const node = shape("text", { x: left, y: top, "text-anchor": anchor, "aria-hidden": "true" });
  node.textContent = words;
  return node;
}

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}
