/** Sending pictures with their labels: some teach, the others calibrate. */

import { askPatiently, batchesOf } from "./batches.js";
import { addExamples, calibrate } from "./label_api.js";
import { sourcesOf } from "./picture.js";

const PICTURES_PER_REQUEST = 32;
const KEPT_BACK = 3;

/**
 * @typedef {import("./picture.js").Picture} Picture
 * @typedef {{teach: Picture[], calibrate: Picture[], unknown: Picture[]}} Plan `unknown` are
 *   pictures of none of the labels
 */

/**
 * Share pictures between teaching and calibrating.
 *
 * @param {Picture[]} pictures
 * @param {string[]} labels of the set
 * @param {{use: "both"|"teach"|"calibrate", again: boolean}} options `again`: also those that were
 *   used before
 * @returns {Plan}
 */
export function planOf(pictures, labels, { use, again }) {
  const known = new Set(labels);
  const readable = pictures.filter(({ result }) => result?.status !== "error");
  const fresh = readable.filter((one) => again || !one.use);
  const labelled = fresh.filter(({ truth }) => known.has(truth));
  const unknown = use === "teach" ? [] : fresh.filter(({ truth }) => truth === null);
  if (use === "teach") return { teach: labelled, calibrate: [], unknown };
  if (use === "calibrate") return { teach: [], calibrate: labelled, unknown };
  const seen = new Map();
  const isKeptBack = ({ truth }) => {
    const place = (seen.get(truth) ?? 0) + 1;
    seen.set(truth, place);
    return place % KEPT_BACK === 0;
  };
  const kept = new Set(labelled.filter(isKeptBack));
  return {
    teach: labelled.filter((one) => !kept.has(one)),
    calibrate: labelled.filter((one) => kept.has(one)),
    unknown,
  };
}

/** One run over the pictures of a plan. */
export class TeachRun {
  /**
   * @param {{reference: string, mode: string, replace: boolean, signal: AbortSignal,
   *   onDone: (pictures: number) => void}} options `onDone` is told how many more were sent
   */
  constructor(options) {
    this.options = options;
    /** @type {{picture: Picture, message: string}[]} */
    this.refused = [];
  }

  /**
   * Send the pictures.
   *
   * @param {Plan} plan
   * @returns {Promise<{head: object|null, calibration: object|null}>} what the last answers said
   */
  async send({ teach, calibrate: check, unknown }) {
    const head = teach.length ? await this.#teach(teach) : null;
    const images = [...check, ...unknown];
    // Pictures of none of the labels alone make no calibration.
    const calibration = check.length ? await this.#calibrate(images) : null;
    return { head, calibration };
  }

  async #teach(pictures) {
    const batches = batchesOf(pictures, PICTURES_PER_REQUEST);
    let head = null;
    for (const [place, batch] of batches.entries()) {
      // A head is slow to choose, and is chosen once, on all of them.
      const kind = place === batches.length - 1 ? "best" : "text";
      head = (await this.#examples(batch, kind, place === 0)) ?? head;
    }
    const taught = pictures.filter(({ use }) => use === "taught");
    const isChosen = batches.at(-1).some(({ use }) => use === "taught");
    // The last batch was one bad picture: a picture that is given again counts once.
    if (taught.length && !isChosen) head = await this.#examples(taught.slice(-1), "best", false);
    return head;
  }

  async #examples(batch, head, isFirst) {
    const { reference, signal, replace } = this.options;
    const send = (some) => {
      const labels = some.map(({ truth }) => truth);
      const fields = { labels, head, replace: isFirst && replace };
      return addExamples(reference, sourcesOf(some), fields, signal);
    };
    return (await this.#part(batch, send, "taught"))?.head ?? null;
  }

  async #calibrate(pictures) {
    const { reference, signal, replace, mode } = this.options;
    let found = null;
    for (const [place, batch] of batchesOf(pictures, PICTURES_PER_REQUEST).entries()) {
      const send = (some) => {
        const labels = some.map(({ truth }) => truth);
        const fields = { labels, mode, replace: place === 0 && replace };
        return calibrate(reference, sourcesOf(some), fields, signal);
      };
      found = (await this.#part(batch, send, "calibrated"))?.calibration ?? found;
    }
    return found;
  }

  async #part(batch, send, use) {
    const { ordered } = sourcesOf(batch);
    const { results, answers } = await askPatiently(ordered, send, this.options.signal);
    results.forEach((result, place) => {
      const picture = ordered[place];
      if (result.status === "ok") picture.use = use;
      else this.refused.push({ picture, message: result.error.message });
    });
    this.options.onDone(ordered.length);
    return answers.at(-1) ?? null;
  }
}
