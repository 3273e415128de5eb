/** Teaching a saved label set with examples, calibrating it, and what came of it. */

import { isSuperseded } from "../api.js";
import { byId, element, showNotice } from "../dom.js";
import { pictures } from "../status.js";
import { getFits } from "./label_api.js";
import { RunProgress } from "./run_progress.js";
import { compareUses } from "./teach_comparison.js";
import { outcomeParts } from "./teach_outcome.js";
import { TeachRun, planOf } from "./teach_run.js";
import { TeachTargets } from "./teach_targets.js";

/** The panel; pictures that were dropped elsewhere and have a known label count too. */
export class TeachPanel {
  /** @param {import("./label_view.js").View} view */
  constructor(view) {
    this.view = view;
    this.isRunning = false;
    this.targets = new TeachTargets({
      onPictures: (added) => view.addKnown(added),
      imageOf: (picture) => view.cards.imageOf(picture),
    });
    this.progress = new RunProgress(byId("teach-progress"));
    this.outcome = byId("teach-outcome");
    byId("teach-use").addEventListener("change", () => this.#tellPlan());
    byId("teach-replace").addEventListener("change", () => this.#tellPlan());
    byId("teach-run").addEventListener("click", () => this.#run());
  }

  /** Draw the panel for the set and the pictures in use. */
  show() {
    const set = this.view.sets.current;
    byId("teach-body").hidden = !set;
    showNotice(byId("teach-needs-set"), set ? null : this.#needsSet());
    if (!set) return;
    const { head, calibrations } = set.fits;
    const counts = {
      taught: head?.counts ?? {},
      calibrated: calibrations[this.view.settings.mode]?.counts ?? {},
    };
    this.targets.show({ labels: this.view.labels, pictures: this.view.pictures, counts });
    this.#tellPlan();
    if (this.shown !== this.#wanted(set) && !this.isRunning) this.#showOutcome(set, []);
  }

  /** What the outcome is of: a calibration belongs to a mode. */
  #wanted({ content }) {
    return `${content.name}@${content.version} ${this.view.settings.mode}`;
  }

  #needsSet() {
    const action = { label: "Save these labels as a set", run: () => this.view.openForm() };
    const text = "What is learned belongs to a saved set of labels, and serves everybody who uses it.";
    return { tone: "empty", title: "Choose or save a label set first", text, action };
  }

  #plan() {
    const use = byId("teach-use").querySelector("input:checked").value;
    const again = byId("teach-replace").checked;
    return planOf(this.view.pictures, this.view.labels, { use, again });
  }

  #tellPlan() {
    const { teach, calibrate, unknown } = this.#plan();
    const parts = [];
    if (teach.length) parts.push(`${pictures(teach.length)} to teach`);
    if (calibrate.length) parts.push(`${calibrate.length} to calibrate`);
    if (calibrate.length && unknown.length) parts.push(`${unknown.length} of none of the labels`);
    const hasAny = teach.length + calibrate.length > 0;
    byId("teach-run").disabled = !hasAny || this.isRunning;
    byId("teach-hint").textContent = hasAny ? parts.join(", ") : "Drop pictures onto the labels.";
  }

  async #run() {
    const { view } = this;
    const { reference } = view.sets.current;
    const plan = this.#plan();
    const all = plan.teach.length + plan.calibrate.length + plan.unknown.length;
    let done = 0;
    const signal = this.progress.begin();
    this.progress.tell(done, all, "sent");
    const run = new TeachRun({
      reference,
      mode: view.settings.mode,
      replace: byId("teach-replace").checked,
      signal,
      onDone: (count) => {
        done = Math.min(all, done + count);
        this.progress.tell(done, all, "sent");
      },
    });
    this.isRunning = true;
    byId("teach-run").disabled = true;
    showNotice(byId("teach-notice"), null);
    try {
      await run.send(plan);
      showNotice(byId("teach-notice"), refusals(run.refused));
    } catch (error) {
      showNotice(byId("teach-notice"), stopped(error));
    } finally {
      this.isRunning = false;
      this.progress.end(signal);
    }
    await this.#tellLearned(run.refused.map(({ picture }) => picture));
  }

  async #tellLearned(refused) {
    this.shown = null;
    await this.view.learned().catch(() => {});
    const set = this.view.sets.current;
    if (!set) return;
    await this.#showOutcome(set, this.view.pictures.filter((one) => !refused.includes(one)));
    byId("teach-said").textContent = this.outcome.innerText.slice(0, 300);
  }

  /** Show before and after of what is in force; on pictures whose label is known too. */
  async #showOutcome(set, compared) {
    this.shown = this.#wanted(set);
    if (!set.fits.head && !set.fits.calibrations[this.view.settings.mode]) {
      this.outcome.replaceChildren();
      return;
    }
    try {
      const fits = await getFits(set.reference, { effect: true });
      const { mode } = this.view.settings;
      const signal = new AbortController().signal;
      const changes = await compareUses(compared, this.view.question, { fits, signal });
      if (this.view.sets.current !== set) return;
      this.outcome.replaceChildren(...outcomeParts({ fits, mode, changes }));
    } catch (error) {
      const text = `Before and after are not known: ${error.message}`;
      this.outcome.replaceChildren(element("p", { class: "label-warning", role: "alert" }, text));
    }
  }
}

function refusals(refused) {
  if (!refused.length) return null;
  const lines = refused.map(({ picture, message }) => `${picture.name}: ${message}`);
  const title = `${refused.length} ${refused.length === 1 ? "picture" : "pictures"} left out`;
  return { title, text: lines.slice(0, 5).join(" ") };
}

function stopped(error) {
  if (isSuperseded(error)) {
    return { tone: "empty", title: "Stopped", text: "What was sent before counts." };
  }
  return { title: "The service could not learn from these", text: error.message };
}
