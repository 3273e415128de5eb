/** Asks for the labels of all pictures when something has changed, and tells what came of it. */

import { byId, showNotice } from "../dom.js";
import { announcement, failed, missing, stopped, summary } from "./label_notices.js";
import { LabelRun } from "./label_run.js";
import { learnFromFolders } from "./picture.js";

const PAUSE_MS = 220;

/** The one place from which pictures are labelled. */
export class Labeller {
  /** @param {import("./label_view.js").View} view */
  constructor(view) {
    this.view = view;
    this.run = new LabelRun();
    this.notice = byId("label-notice");
    this.warning = byId("label-warning");
  }

  /** Ask when nothing more has changed for a moment. */
  askSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  /** Ask for the labels of all pictures, or say what is missing. */
  async ask() {
    clearTimeout(this.timer);
    const { view } = this;
    const { mode, templateSet } = view.settings;
    view.sets.showUses(mode, templateSet === null);
    if (learnFromFolders(view.pictures, view.labels)) view.cards.redrawTruths();
    const lack = missing(view.labels, mode, view.pictures);
    showNotice(this.notice, lack);
    if (lack || !view.pictures.length) {
      this.run.stop();
      view.cards.reset();
      this.#finish([]);
      return;
    }
    view.cards.wait(view.labels.length);
    view.showPanel();
    try {
      this.#tell(await this.run.label(view.cards.cards, view.question));
    } catch (error) {
      view.cards.reset();
      showNotice(this.notice, failed(error, this.#remedies()));
    }
  }

  /**
   * Write the line above the pictures.
   *
   * @param {number} [tookMs]
   */
  summarise(tookMs = 0) {
    const { cards, labels } = this.view;
    byId("label-clear").hidden = !cards.cards.length;
    byId("label-summary").textContent = summary(cards.cards, labels.length, tookMs);
  }

  #tell({ state, tookMs, warnings }) {
    if (state === "superseded") return;
    const { cards } = this.view;
    cards.settle();
    if (state === "stopped") showNotice(this.notice, stopped(() => this.ask()));
    byId("label-said").textContent = announcement(cards.cards);
    this.#finish(warnings, tookMs);
  }

  #finish(warnings, tookMs = 0) {
    this.warning.textContent = warnings.join("; ");
    this.warning.hidden = !warnings.length;
    this.summarise(tookMs);
    this.view.showPanel();
  }

  #remedies() {
    const withoutHead = () => {
      this.view.sets.head.querySelector("input").checked = false;
      this.ask();
    };
    return { again: () => this.ask(), withoutHead };
  }
}
