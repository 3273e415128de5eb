/** One picture of the label view: its preview, the verdict, a bar for each label, what is right. */

import { size } from "../add/upload.js";
import { element, icon } from "../dom.js";
import { SHOWN_AT_FIRST, barsOf, placeholder, predictionSet } from "./label_bars.js";
import { verdictOf } from "./verdict.js";

const PREVIEW_SIDE_PX = 240;
const NONE_OF_THESE = "none";
const UNKNOWN = "";

/**
 * What a card tells the view.
 *
 * @typedef {{onRemove: (card: LabelCard) => void, onTruth: (card: LabelCard) => void,
 *   labels: () => string[], look: () => {leastScore: number, calibration: object|null}}} CardOptions
 *   `look` says with which least score and rules an answer is read
 */

/** A picture and what the service said of it. */
export class LabelCard {
  /**
   * @param {import("./picture.js").Picture} picture
   * @param {CardOptions} options
   */
  constructor(picture, options) {
    this.picture = picture;
    this.options = options;
    this.isExpanded = false;
    this.answer = element("div", { class: "label-answer" });
    this.expander = element("span", {});
    this.calibrated = element("span", { class: "label-calibrated" });
    this.truth = this.#truthField();
    const foot = element("div", { class: "label-foot" }, this.expander, this.calibrated, this.truth);
    this.image = element("img", {
      alt: picture.name,
      decoding: "async",
      onerror: (event) => event.target.classList.add("is-broken"),
    });
    const properties = {
      class: "round label-remove",
      type: "button",
      "aria-label": `Remove ${picture.name}`,
      onclick: () => options.onRemove(this),
    };
    this.element = element(
      "li",
      { class: "label-card" },
      this.image,
      element("div", { class: "label-body" }, this.#name(), this.answer, foot),
      element("button", properties, icon("close")),
    );
  }

  /**
   * Show the picture; a file is drawn when its turn comes.
   *
   * @param {import("./preview_queue.js").PreviewQueue} queue
   */
  drawPreview(queue) {
    const address = this.picture.thumbnail(PREVIEW_SIDE_PX);
    if (address) this.image.src = address;
    else queue.show(this.picture.file, this.image);
  }

  /**
   * Say that an answer is on its way; an older one stays, dimmed, and a first one finds its place
   * kept.
   *
   * @param {number} labels how many labels the answer will have
   */
  wait(labels) {
    this.element.setAttribute("aria-busy", "true");
    if (!this.answer.childElementCount) this.answer.replaceChildren(...placeholder(labels));
  }

  /**
   * Show an entry of the service's `results`.
   *
   * @param {object} result
   */
  show(result) {
    this.element.setAttribute("aria-busy", "false");
    this.picture.result = result;
    this.redraw();
  }

  /** Read the answer again, because the least score or what is right has changed. */
  redraw() {
    const { result } = this.picture;
    if (!result) return;
    this.truth.hidden = result.status === "error";
    if (result.status === "error") {
      this.verdict = null;
      this.#emptyFoot();
      this.answer.replaceChildren(element("p", { class: "label-error" }, result.error.message));
      return;
    }
    this.verdict = verdictOf(result, {
      ...this.options.look(),
      truth: this.picture.truthAmong(this.options.labels()),
    });
    this.answer.replaceChildren(...this.#answerParts(result, this.verdict));
    this.expander.replaceChildren(...this.#expanderParts(result));
    this.calibrated.textContent = result.calibrated ? "calibrated" : "not calibrated";
    this.calibrated.title = result.calibrated
      ? "The scores were fitted on labelled pictures: they mean how often they are right"
      : "The scores are the model's own, not fitted on labelled pictures";
  }

  /** Show what is right, where it was said elsewhere. */
  redrawTruth() {
    this.#fillTruth(false);
    this.redraw();
  }

  /** Take the answer away, because the question is not complete. */
  reset() {
    this.element.setAttribute("aria-busy", "false");
    this.picture.result = null;
    this.verdict = null;
    this.truth.hidden = true;
    this.#emptyFoot();
    this.answer.replaceChildren();
  }

  /** Take the card off the page. */
  close() {
    this.image.removeAttribute("src");
    this.element.remove();
  }

  #name() {
    const { name, item, file } = this.picture;
    const origin = item ? "from the gallery" : size(file.size);
    return element("p", { class: "label-name", title: name }, `${name}, ${origin}`);
  }

  #answerParts(result, verdict) {
    const shown = this.isExpanded ? result.labels : result.labels.slice(0, SHOWN_AT_FIRST);
    return [
      verdictLine(verdict),
      verdict.why ? element("p", { class: "label-why" }, verdict.why) : null,
      barsOf(shown, { winner: verdict.label, truth: this.picture.truth }),
      predictionSet(result.prediction_set),
    ].filter(Boolean);
  }

  #emptyFoot() {
    this.expander.replaceChildren();
    this.calibrated.textContent = "";
  }

  #expanderParts(result) {
    const rest = result.labels.length - SHOWN_AT_FIRST;
    if (rest <= 0) return [];
    const toggle = () => {
      this.isExpanded = !this.isExpanded;
      this.redraw();
      this.expander.firstElementChild?.focus();
    };
    const text = this.isExpanded ? "Fewer" : `${rest} more`;
    const properties = { class: "expander", type: "button", onclick: toggle };
    return [element("button", { ...properties, "aria-expanded": String(this.isExpanded) }, text)];
  }

  #truthField() {
    const select = element("select", {
      "aria-label": `What ${this.picture.name} shows`,
      onfocus: () => this.#fillTruth(true),
      onpointerdown: () => this.#fillTruth(true),
      onchange: () => this.#takeTruth(),
    });
    this.truthSelect = select;
    const field = element("div", { class: "label-truth" }, select);
    field.hidden = true;
    this.#fillTruth(false);
    return field;
  }

  /** A thousand labels on hundreds of cards are too many options to make before they are wanted. */
  #fillTruth(withAll) {
    const { truth } = this.picture;
    const known = [option(UNKNOWN, "Is that right?"), option(NONE_OF_THESE, "shows none of these")];
    const all = withAll ? this.options.labels() : [];
    const own = typeof truth === "string" && !all.includes(truth) ? [truth] : [];
    const labels = [...own, ...all].map((label) => option(label, `shows ${label}`, true));
    this.truthSelect.replaceChildren(...known, ...labels);
    const place = truth === undefined ? 0 : truth === null ? 1 : 2 + [...own, ...all].indexOf(truth);
    this.truthSelect.selectedIndex = place;
  }

  #takeTruth() {
    const chosen = this.truthSelect.selectedOptions[0];
    const isLabel = Boolean(chosen.dataset.isLabel);
    this.picture.truth = isLabel ? chosen.value : chosen.value === UNKNOWN ? undefined : null;
    this.redraw();
    this.options.onTruth(this);
  }
}

function option(value, text, isLabel = false) {
  const made = element("option", { value }, text);
  if (isLabel) made.dataset.isLabel = "true";
  return made;
}

function verdictLine({ text, label, isRight }) {
  const line = element("p", { class: "label-verdict", dir: "auto" }, text);
  line.classList.toggle("is-none", label === null);
  const marks = [];
  if (isRight !== null) {
    const state = isRight ? "is-right" : "is-wrong";
    marks.push(element("span", { class: `truth-mark ${state}` }, isRight ? "right" : "wrong"));
  }
  return element("div", { class: "label-head" }, line, ...marks);
}

