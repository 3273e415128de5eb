/** Before and after in words, numbers and diagrams. */

import { element } from "../dom.js";
import { reliabilityDiagram } from "./reliability_diagram.js";
import { percent } from "./verdict.js";

const HEADS = {
  text: "the words alone",
  class_means: "class means: the words, moved towards the examples",
  tip_adapter: "tip adapter: the words, with a say of the nearest examples",
  logistic: "logistic regression on the examples",
};
const RULES = {
  min_cosine: "least cosine of the best label",
  max_energy: "highest energy of the picture",
  min_score: "least score of the best label",
  min_margin: "least distance of the two best scores",
};
const MOST_CHANGES = 12;

/**
 * Return what to show of a label set's fits.
 *
 * @param {{fits: object, mode: "single"|"multi",
 *   changes: import("./teach_comparison.js").Change[]}} outcome
 * @returns {HTMLElement[]}
 */
export function outcomeParts({ fits, mode, changes }) {
  const calibration = fits.calibrations[mode];
  return [
    ...fits.warnings.map((text) => element("p", { class: "label-warning" }, text)),
    fits.head ? headPart(fits.head) : null,
    changes.length ? changesPart(changes) : null,
    calibration ? calibrationPart(calibration) : null,
  ].filter(Boolean);
}

function headPart(head) {
  const isText = head.kind === "text";
  const verdict = isText
    ? "The words alone stay: no head labelled more pictures rightly, beyond chance."
    : `In force: ${HEADS[head.kind] ?? head.kind}.`;
  const [low, high] = head.gain_interval;
  const how = head.validation === "given" ? "given to check" : "held out in turn";
  const note = `${head.validation_images} pictures ${how}; ${head.better} became right, ${head.worse} wrong; the gain is ${points(head.gain)} points (95 %: ${points(low)} to ${points(high)}).`;
  return section("What the examples did", [
    figures([
      ["right by words alone", percent(head.accuracy_text)],
      ["right with the examples", percent(head.accuracy), head.gain > 0],
      ["examples", String(head.examples)],
    ]),
    element("p", {}, verdict),
    isText ? null : element("p", { class: "hint" }, note),
  ]);
}

function changesPart(changes) {
  const right = (side) => changes.filter((one) => one[side].label === one.picture.truth).length;
  const changed = changes.filter(({ before, after }) => before.label !== after.label);
  const taught = changes.filter(({ picture }) => picture.use === "taught").length;
  const note = taught
    ? `${taught} of them taught it, so on those it looks better than it will on new pictures.`
    : "None of them taught it.";
  const lines = changed.slice(0, MOST_CHANGES).map(({ picture, before, after }) => {
    const isRight = after.label === picture.truth;
    const mark = element("span", { class: `truth-mark ${isRight ? "is-right" : "is-wrong"}` }, isRight ? "right" : "wrong");
    const words = `${picture.name}: ${before.label} \u2192 `;
    return element("li", { dir: "auto" }, words, element("b", {}, after.label), " ", mark);
  });
  return section("On your pictures here", [
    figures([
      ["right before", `${right("before")} of ${changes.length}`],
      ["right after", `${right("after")} of ${changes.length}`, right("after") > right("before")],
    ]),
    lines.length ? element("ul", { class: "change-list" }, ...lines) : element("p", {}, "No label changed."),
    element("p", { class: "hint" }, note),
  ]);
}

function calibrationPart(calibration) {
  const { effect } = calibration;
  const title = "What calibrating did";
  if (!calibration.in_force) {
    const text = "It was calibrated before these examples came: calibrate again, the scores have changed.";
    return section(title, [element("p", { class: "label-warning" }, text)]);
  }
  return section(title, [
    effect ? figures(calibrationFigures(calibration, effect)) : null,
    effect?.before ? diagrams(effect) : null,
    calibration.rules.length ? rulesTable(calibration) : noRules(calibration),
    ...calibration.warnings.map((text) => element("p", { class: "label-warning" }, text)),
  ]);
}

function calibrationFigures({ images, ece_held_out: heldOut }, effect) {
  const found = [["right", `${percent(effect.accuracy)} of ${images}`]];
  if (effect.before) {
    const isBetter = effect.after.ece < effect.before.ece;
    found.push(["calibration error before", percent(effect.before.ece)]);
    found.push(["after", percent(effect.after.ece), isBetter]);
  }
  if (heldOut !== null) found.push(["after, held out", percent(heldOut)]);
  if (effect.labelled < 1) {
    found.push(["still get a label", percent(effect.labelled)]);
    if (effect.accuracy_of_labelled !== null) found.push(["of those right", percent(effect.accuracy_of_labelled)]);
  }
  if (effect.unknown_labelled !== null) {
    found.push(["of nothing, labelled all the same", percent(effect.unknown_labelled)]);
  }
  return found;
}

function diagrams({ before, after }) {
  const figure = (one, title) =>
    element("figure", {}, reliabilityDiagram(one, title), element("figcaption", {}, title));
  return element(
    "div",
    { class: "diagrams" },
    figure(before, "Before"),
    figure(after, "After"),
    element("p", { class: "hint" }, "Bars on the line: a score of 80 % is right in 80 of 100 pictures."),
  );
}

function rulesTable({ rules, options }) {
  const cell = (tag, text) => element(tag, tag === "th" ? { scope: "col" } : {}, text);
  const head = ["Rule", "Fitted", "Tells known from unknown", "Lets unknown pass"];
  const rows = rules.map(({ name, threshold, auroc, false_positive_rate: passed }, place) => {
    const title = `${RULES[name] ?? name}${place === 0 ? " (in force)" : ""}`;
    const cells = [threshold.toFixed(3), percent(auroc), percent(passed)];
    const row = element("tr", {}, element("th", { scope: "row" }, title), ...cells.map((text) => cell("td", text)));
    row.classList.toggle("is-chosen", place === 0);
    return row;
  });
  const caption = `Giving no label: each rule still labels ${percent(options.keep)} of the known pictures`;
  return element(
    "details",
    { class: "rules" },
    element("summary", {}, caption),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((text) => cell("th", text)))),
      element("tbody", {}, ...rows),
    ),
  );
}

function noRules({ options }) {
  if (options.mode !== "single") return null;
  const text = 'Pictures under "None of these" would also fit when to give no label.';
  return element("p", { class: "hint" }, text);
}

function section(title, parts) {
  return element("section", {}, element("h3", {}, title), ...parts.filter(Boolean));
}

function figures(entries) {
  const pairs = entries.map(([name, value, isBetter = false]) => {
    const pair = element("div", {}, element("dt", {}, name), element("dd", {}, value));
    pair.classList.toggle("is-better", isBetter);
    return pair;
  });
  return element("dl", { class: "figures" }, ...pairs);
}

function points(share) {
  const value = share * 100;
  return `${value > 0 ? "+" : ""}${value.toFixed(0)}`;
}
