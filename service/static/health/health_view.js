/** The health view: the state in words, then the numbers behind it, as long as somebody looks. */

import { isSuperseded } from "../api.js";
import { byId, element, showNotice } from "../dom.js";
import { showFailures } from "./failures_panel.js";
import { fillRows, fillText } from "./fills.js";
import { span } from "./formats.js";
import { getHealth } from "./health_api.js";
import { History } from "./history.js";
import { judge } from "./judgement.js";
import { ModelPanel } from "./model_panel.js";
import { CachePanel, IndexPanel, LatencyPanel, LoadPanel, MachinePanel, QueuePanel } from "./panels.js";

const EVERY_MS = 4000;
const REFUSALS = new Set([401, 403]);
const LOST = { level: "trouble", verdict: "No answer", reasons: [] };

/** Asks every few seconds while it is shown, and not at all otherwise. */
export class View {
  constructor() {
    this.history = new History();
    this.panels = [
      new LoadPanel(),
      new LatencyPanel(),
      new QueuePanel(),
      new IndexPanel(),
      new CachePanel(),
      new MachinePanel(),
      new ModelPanel(),
    ];
    this.isShown = false;
    this.timer = null;
    this.request = null;
    document.addEventListener("visibilitychange", () => {
      if (this.isShown) this.#restart();
    });
  }

  /** @returns {string} what dropping pictures here does */
  get dropText() {
    return "Nothing is dropped here; Add takes pictures";
  }

  /** Pictures are added elsewhere. */
  takeImages() {}

  /** Show the view and begin to ask. */
  show() {
    this.isShown = true;
    this.#restart();
  }

  /** Stop asking. */
  hide() {
    this.isShown = false;
    this.#stop();
  }

  #stop() {
    clearTimeout(this.timer);
    this.request?.abort();
    this.request = null;
  }

  #restart() {
    this.#stop();
    if (!document.hidden) this.#ask();
  }

  async #ask() {
    const request = new AbortController();
    this.request = request;
    try {
      this.history.add(await getHealth({ signal: request.signal }));
      if (this.request !== request) return;
      this.#draw();
    } catch (error) {
      if (isSuperseded(error) || this.request !== request) return;
      this.#fail(error);
      // Asking again would only open the prompt for a key again.
      if (REFUSALS.has(error.status)) return;
    }
    this.timer = setTimeout(() => this.#ask(), EVERY_MS);
  }

  #draw() {
    const health = this.history.answers.at(-1);
    showNotice(byId("health-notice"), null);
    showState(judge(health, this.history.period));
    byId("health-cards").hidden = false;
    byId("health-cards").classList.remove("is-old");
    for (const panel of this.panels) panel.show(health, this.history);
    showFailures(health);
    const up = span((health.now_ms - health.process.started_ms) / 1000);
    fillText(byId("health-when"), `Sightline ${health.version}, up for ${up}. Looked at every ${EVERY_MS / 1000} seconds while this is open.`);
  }

  #fail(error) {
    if (REFUSALS.has(error.status)) {
      const action = { label: "Enter a key", run: () => this.#restart() };
      showNotice(byId("health-notice"), { tone: "empty", title: "The operator's key shows this", text: error.message, action });
      byId("health-state").hidden = true;
      return;
    }
    showState({ ...LOST, reasons: [{ level: "trouble", text: error.message }] });
    // What is shown was true once.
    byId("health-cards").classList.add("is-old");
  }
}

function showState({ level, verdict, reasons }) {
  const state = byId("health-state");
  state.hidden = false;
  state.dataset.level = level;
  fillText(byId("health-verdict"), verdict);
  fillRows(byId("health-reasons"), reasons, (reason) => {
    const item = element("li", { dir: "auto" }, reason.text);
    item.dataset.level = reason.level;
    return item;
  });
}
