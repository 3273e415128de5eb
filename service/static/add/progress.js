/** How far the adding is: a bar, counts by state, rate and time left, and the buttons for it. */

import { byId, element } from "../dom.js";
import { Pace, duration } from "./patience.js";
import { DONE, STATES } from "./upload.js";

const SHOWN_COUNTS = ["created", "updated", "unchanged", "error", "stopped", "sending", "waiting"];

/** The panel over a queue. */
export class Progress {
  constructor() {
    this.pace = new Pace();
    this.live = byId("add-live");
  }

  /**
   * @param {import("./upload_queue.js").UploadQueue|null} queue
   * @param {number} leftAlone files of a folder that are no pictures
   */
  show(queue, leftAlone) {
    byId("add-progress").hidden = !queue;
    byId("add-controls").classList.toggle("is-small", Boolean(queue));
    if (!queue) return;
    const { isRunning, isPaused, uploads, done } = queue;
    byId("add-progress-title").textContent = title(queue);
    byId("add-summary").textContent = this.#summary(queue);
    byId("add-bar").value = uploads.length ? done / uploads.length : 0;
    byId("add-pause").hidden = !isRunning;
    byId("add-pause").textContent = isPaused ? "Go on" : "Pause";
    byId("add-cancel").hidden = !isRunning;
    byId("add-retry").hidden = isRunning || !(queue.counts.error + queue.counts.stopped);
    byId("add-clear").hidden = isRunning;
    byId("add-trouble").textContent = troubleText(queue);
    byId("add-counts").replaceChildren(...counts(queue));
    byId("add-left-alone").hidden = !leftAlone;
    byId("add-left-alone").textContent = leftAloneText(leftAlone);
    this.#announce(queue);
  }

  #summary({ isRunning, isPaused, trouble, uploads, done }) {
    const parts = [`${done.toLocaleString("en")} of ${uploads.length.toLocaleString("en")}`];
    const { perSecond } = this.pace;
    if (isRunning && !isPaused && !trouble && perSecond > 0) {
      parts.push(`${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} a second`);
      parts.push(`${duration((uploads.length - done) / perSecond)} left`);
    }
    return parts.join(" \u00b7 ");
  }

  /** Tell screen readers when it begins and ends, not each step. */
  #announce(queue) {
    const text = queue.isRunning ? title(queue) : `${title(queue)}: ${spoken(queue)}`;
    if (this.live.textContent !== text) this.live.textContent = text;
  }
}

function title({ isRunning, isPaused, counts: { stopped } }) {
  if (isRunning) return isPaused ? "Paused" : "Adding";
  return stopped ? "Stopped" : "Done";
}

function leftAloneText(count) {
  if (count === 1) return "One file that is no picture was left alone.";
  return `${count.toLocaleString("en")} files that are no pictures were left alone.`;
}

function troubleText({ trouble: reason, isPaused }) {
  if (!reason) return "";
  return isPaused ? `Nothing more is sent: ${reason}` : `Trying again: ${reason}`;
}

function counts({ counts: found }) {
  return SHOWN_COUNTS.filter((state) => found[state]).map((state) => {
    const count = element("b", {}, found[state].toLocaleString("en"));
    const item = element("li", {}, count, ` ${STATES[state].toLowerCase()}`);
    item.dataset.state = state;
    return item;
  });
}

function spoken({ counts: found }) {
  const states = DONE.filter((state) => found[state]);
  return states.map((state) => `${found[state]} ${STATES[state].toLowerCase()}`).join(", ");
}
