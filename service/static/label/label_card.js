/** One picture of the label view: its preview and a bar for each label, or what was wrong. */

import { element, icon } from "../dom.js";

const SHOWN_AT_FIRST = 5;

/** A picture and what the service said of it. */
export class LabelCard {
  /**
   * @param {File} file
   * @param {{isSample: boolean, onRemove: (card: LabelCard) => void}} options
   */
  constructor(file, { isSample, onRemove }) {
    this.file = file;
    this.isSample = isSample;
    this.isExpanded = false;
    this.preview = URL.createObjectURL(file);
    this.answer = element("div", { class: "label-answer", "aria-live": "polite" });
    const properties = {
      class: "round label-remove",
      type: "button",
      "aria-label": `Remove ${file.name}`,
      onclick: () => onRemove(this),
    };
    this.element = element(
      "li",
      { class: "label-card" },
      element("img", {
        src: this.preview,
        alt: file.name,
        onerror: (event) => event.target.classList.add("is-broken"),
      }),
      element("div", { class: "label-body" }, this.#name(), this.answer),
      element("button", properties, icon("close")),
    );
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
    this.result = result;
    if (result.status === "error") this.fail(result.error.message);
    else this.answer.replaceChildren(...this.#answerParts(result));
  }

  /**
   * Show what was wrong with this picture.
   *
   * @param {string} message
   */
  fail(message) {
    this.element.setAttribute("aria-busy", "false");
    this.answer.replaceChildren(element("p", { class: "label-error" }, message));
  }

  /** Take the answer away, because the question is not complete. */
  reset() {
    this.element.setAttribute("aria-busy", "false");
    this.answer.replaceChildren();
  }

  /** Give the memory of the preview back. */
  close() {
    URL.revokeObjectURL(this.preview);
    this.element.remove();
  }

  #name() {
    const origin = this.isSample ? "from the gallery" : size(this.file.size);
    return element("p", { class: "label-name" }, `${this.file.name}, ${origin}`);
  }

  #answerParts(result) {
    const verdict = result.abstained ? "Not sure" : result.label;
    const shown = this.isExpanded ? result.labels : result.labels.slice(0, SHOWN_AT_FIRST);
    const bars = shown.map((label, index) => barRow(label, index === 0 && !result.abstained));
    return [
      element("p", { class: "label-verdict" }, verdict),
      result.reason ? element("p", { class: "hint" }, result.reason) : null,
      element("ol", { class: "bars" }, ...bars),
      this.#expander(result),
    ].filter(Boolean);
  }

  #expander(result) {
    const rest = result.labels.length - SHOWN_AT_FIRST;
    if (rest <= 0) return null;
    const toggle = () => {
      this.isExpanded = !this.isExpanded;
      this.show(this.result);
      this.answer.querySelector(".expander")?.focus();
    };
    const text = this.isExpanded ? "Fewer" : `${rest} more`;
    return element("button", { class: "expander", type: "button", onclick: toggle }, text);
  }
}

function placeholder(labels) {
  const blank = "\u00a0";
  const row = () => {
    const track = element("span", { class: "bar-track" });
    return element("li", {}, element("span", {}, blank), track, element("span", {}, blank));
  };
  const bars = Array.from({ length: Math.min(labels, SHOWN_AT_FIRST) }, row);
  return [
    element("p", { class: "label-verdict" }, blank),
    element("ol", { class: "bars is-waiting", "aria-hidden": "true" }, ...bars),
    labels > SHOWN_AT_FIRST ? element("p", { class: "expander" }, blank) : null,
  ].filter(Boolean);
}

function barRow({ label, score, cosine }, isBest) {
  const bar = element("span", { class: "bar-track", "aria-hidden": "true" }, element("span"));
  bar.firstElementChild.style.setProperty("--share", Math.max(0, Math.min(1, score)).toFixed(4));
  const title = `score ${score.toFixed(4)}, cosine ${cosine.toFixed(4)}`;
  const value = element("span", { class: "bar-value" }, percent(score));
  const row = element("li", { title }, element("span", { class: "bar-label" }, label), bar, value);
  row.classList.toggle("is-best", isBest);
  return row;
}

function percent(score) {
  const value = score * 100;
  if (value > 0 && value < 0.1) return "<0.1 %";
  return `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
