/** Waiting before a request is sent again, and guessing how long all of it will take. */

import { SERVICE_FOUND } from "../status.js";

const FIRST_WAIT_S = 0.5;
const LONGEST_WAIT_S = 10;
const LOOK_BACK_MS = 20_000;

/**
 * Wait before the next attempt: as long as the service asks, else twice as long each time, and no
 * longer than until it is known to answer again.
 *
 * @param {{attempt: number, leastS: number|null, signal: AbortSignal}} options
 * @returns {Promise<void>} rejected with the reason of `signal` when that is aborted
 */
export function wait({ attempt, leastS, signal }) {
  const seconds = leastS ?? Math.min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1));
  return new Promise((resolve, reject) => {
    const listeners = new AbortController();
    const end = (settle) => {
      clearTimeout(timer);
      listeners.abort();
      settle();
    };
    const timer = setTimeout(() => end(resolve), seconds * 1000);
    const found = () => end(resolve);
    document.addEventListener(SERVICE_FOUND, found, { signal: listeners.signal });
    const stop = () => end(() => reject(signal.reason));
    signal.addEventListener("abort", stop, { signal: listeners.signal });
    if (signal.aborted) stop();
  });
}

/** How many pictures a second got done lately. */
export class Pace {
  constructor() {
    this.marks = [];
  }

  /** Forget what was; waiting is no work. */
  reset() {
    this.marks = [];
  }

  /**
   * @param {number} done how many are done now
   * @param {number} nowMs
   */
  note(done, nowMs) {
    this.marks.push({ done, nowMs });
    while (this.marks.length > 2 && this.marks[1].nowMs < nowMs - LOOK_BACK_MS) this.marks.shift();
  }

  /** @returns {number} pictures a second; 0 where nothing is known yet */
  get perSecond() {
    const [first, last] = [this.marks[0], this.marks.at(-1)];
    if (!first || last.nowMs - first.nowMs < 500) return 0;
    return ((last.done - first.done) * 1000) / (last.nowMs - first.nowMs);
  }
}

/**
 * Return a time in words.
 *
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
