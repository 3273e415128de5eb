/** Asking the service for the labels of all pictures, a few at a time. */

import { isSuperseded } from "../api.js";
import { byId } from "../dom.js";
import { askPatiently, batchesOf } from "./batches.js";
import { classify } from "./label_api.js";
import { sourcesOf } from "./picture.js";
import { RunProgress } from "./run_progress.js";

const SHORT_RUN = 8;

/** Runs over the cards; a new run takes the place of the one under way. */
export class LabelRun {
  constructor() {
    this.progress = new RunProgress(byId("label-progress"));
  }

  /**
   * Ask for all cards.
   *
   * @param {import("./label_card.js").LabelCard[]} cards
   * @param {import("./label_api.js").Question} question
   * @returns {Promise<{state: "done"|"stopped"|"superseded", tookMs: number, warnings: string[]}>}
   * @throws {import("../api.js").ApiError} the service could not label
   */
  async label(cards, question) {
    const signal = this.progress.begin({ isShown: cards.length > SHORT_RUN });
    const outcome = { state: "done", tookMs: 0, warnings: [] };
    try {
      await this.#askAll(cards, question, { signal, outcome });
    } catch (error) {
      if (!isSuperseded(error)) throw error;
      const isStopped = this.progress.controller.signal === signal;
      outcome.state = isStopped ? "stopped" : "superseded";
    } finally {
      this.progress.end(signal);
    }
    return outcome;
  }

  /** Stop what is under way, because nothing can be asked. */
  stop() {
    this.progress.end(this.progress.begin({ isShown: false }));
  }

  async #askAll(cards, question, { signal, outcome }) {
    const cardOf = new Map(cards.map((card) => [card.picture, card]));
    let done = 0;
    this.progress.tell(done, cards.length, "labelled");
    for (const batch of batchesOf([...cardOf.keys()])) {
      const { ordered } = sourcesOf(batch);
      const ask = (some) => classify(sourcesOf(some), question, signal);
      // One request after the other: the answers come in order and the service stays free.
      const { results, answers } = await askPatiently(ordered, ask, signal);
      results.forEach((result, place) => cardOf.get(ordered[place]).show(result));
      done += ordered.length;
      this.progress.tell(done, cards.length, "labelled");
      for (const { took_ms: tookMs, warnings } of answers) {
        outcome.tookMs += tookMs;
        outcome.warnings = warnings;
      }
    }
  }
}
