/**
 * The queue of pictures: cut into batches, a few of which are under way at a time. What can be
 * mended by waiting is sent again until it is through; one bad picture harms no neighbour.
 */

import { isSuperseded } from "../api.js";
import { addImages, batchKey } from "./add_api.js";
import { wait } from "./patience.js";
import { DONE, STATES, problemBefore } from "./upload.js";

const BATCH_IMAGES = 32;
const BATCH_BYTES = 4 * 2 ** 20;
const AT_A_TIME = 2;
/** Part of the largest body that pictures may fill; the rest is for the form around them. */
const BODY_SHARE = 0.9;
const NO_ANSWER = 0;
const MENDED_BY_WAITING = new Set([NO_ANSWER, 429, 503]);
const STILL_RUNNING = "idempotency_key_in_use";
/** The next picture would fail for the same reason: no right to write, or no room. */
const STOPS_ALL = new Set([401, 403, 507]);

/** Pictures, their states, and the requests that carry them. */
export class UploadQueue {
  /**
   * @param {{limits: object, onChange: () => void}} options `limits` are those of the service;
   *   `onChange` is called often
   */
  constructor({ limits, onChange }) {
    this.limits = limits;
    this.onChange = onChange;
    this.uploads = [];
    this.counts = Object.fromEntries(Object.keys(STATES).map((state) => [state, 0]));
    this.next = 0;
    this.busy = 0;
    this.isPaused = false;
    /** Why it stands still, in words; `null` while all goes well. */
    this.trouble = null;
    this.control = new AbortController();
  }

  /** @returns {number} how many pictures have left the queue */
  get done() {
    return DONE.reduce((sum, state) => sum + this.counts[state], 0);
  }

  /** @returns {boolean} whether something is left to do, or being done */
  get isRunning() {
    return this.counts.waiting + this.counts.sending > 0;
  }

  /** @param {import("./upload.js").Upload[]} uploads to send after those that wait already */
  add(uploads) {
    for (const upload of uploads) {
      this.uploads.push(upload);
      this.counts[upload.state] += 1;
      const problem = problemBefore(upload, this.limits);
      if (problem) this.#refuse(upload, problem);
    }
    this.#start();
  }

  /** Begin no more batches; those under way are finished. */
  pause() {
    this.isPaused = true;
    this.onChange();
  }

  /** Go on. */
  resume() {
    this.isPaused = false;
    this.trouble = null;
    this.#start();
  }

  /** Drop what waits and what is under way. */
  cancel() {
    this.control.abort();
    this.control = new AbortController();
    this.trouble = null;
    this.isPaused = false;
    for (const upload of this.uploads) if (upload.state === "waiting") this.#set(upload, "stopped");
    this.next = this.uploads.length;
    this.onChange();
  }

  /** Send again what was refused or not sent. */
  retry() {
    for (const upload of this.uploads) {
      if (upload.state !== "error" && upload.state !== "stopped") continue;
      upload.problem = problemBefore(upload, this.limits);
      this.#set(upload, upload.problem ? "error" : "waiting");
    }
    this.next = 0;
    this.resume();
  }

  #start() {
    this.onChange();
    while (this.busy < AT_A_TIME && !this.isPaused && this.#hasWaiting()) this.#work();
  }

  #hasWaiting() {
    while (this.next < this.uploads.length && this.uploads[this.next].state !== "waiting") {
      this.next += 1;
    }
    return this.next < this.uploads.length;
  }

  async #work() {
    this.busy += 1;
    const { signal } = this.control;
    while (!this.isPaused && !signal.aborted && this.#hasWaiting()) {
      await this.#deliver(await this.#read(this.#take()), signal);
      this.onChange();
    }
    this.busy -= 1;
    this.#start();
  }

  /** Take the next batch out of those that wait. */
  #take() {
    const most = Math.min(BATCH_IMAGES, this.limits.images);
    const mostBytes = Math.min(BATCH_BYTES, BODY_SHARE * this.limits.body_bytes);
    const batch = [];
    let bytes = 0;
    while (batch.length < most && this.#hasWaiting()) {
      const upload = this.uploads[this.next];
      bytes += upload.file.size;
      if (batch.length && bytes > mostBytes) break;
      this.#set(upload, "sending");
      batch.push(upload);
    }
    this.onChange();
    return batch;
  }

  /** Read a batch into memory, so that a file that is gone is not taken for a lost connection. */
  async #read(batch) {
    const read = await Promise.all(
      batch.map(async (upload) => {
        try {
          return { upload, data: new Blob([await upload.file.arrayBuffer()]) };
        } catch {
          const message = "the file cannot be read any more; it was moved, changed or is protected";
          this.#refuse(upload, { message, code: "not_found" });
          return null;
        }
      }),
    );
    return read.filter(Boolean);
  }

  async #deliver(part, signal) {
    if (!part.length) return;
    try {
      const results = await this.#sendPatiently(part, signal);
      results.forEach((result, place) => this.#settle(part[place].upload, result));
    } catch (error) {
      if (isSuperseded(error)) return this.#putBack(part, "stopped");
      if (STOPS_ALL.has(error.status)) return this.#stop(part, error);
      if (part.length === 1) return this.#refuse(part[0].upload, error);
      // A batch that is refused as a whole is halved until the culprit stands alone.
      const middle = Math.floor(part.length / 2);
      await this.#deliver(part.slice(0, middle), signal);
      await this.#deliver(part.slice(middle), signal);
    }
  }

  async #sendPatiently(part, signal) {
    const key = batchKey();
    const pictures = part.map(({ upload, data }) => {
      return { data, name: upload.file.name, described: upload.described };
    });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const results = await addImages(pictures, { key, signal });
        this.trouble = null;
        return results;
      } catch (error) {
        if (!MENDED_BY_WAITING.has(error.status) && error.code !== STILL_RUNNING) throw error;
        this.trouble = error.message;
        this.onChange();
        await wait({ attempt, leastS: error.retryAfterS, signal });
      }
    }
  }

  #settle(upload, { id, status, error }) {
    upload.id = id;
    if (status === "error") this.#refuse(upload, error);
    else this.#set(upload, status);
  }

  #refuse(upload, { message, code }) {
    upload.problem = { message, code };
    this.#set(upload, "error");
  }

  #stop(part, error) {
    this.#putBack(part, "waiting");
    this.isPaused = true;
    this.trouble = error.message;
  }

  #putBack(part, state) {
    for (const { upload } of part) this.#set(upload, state);
    this.next = 0;
  }

  #set(upload, state) {
    this.counts[upload.state] -= 1;
    this.counts[state] += 1;
    upload.state = state;
  }
}
