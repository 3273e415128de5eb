/** Many pictures in requests of a few: one after the other, patient, and fair to good pictures. */

import { wait } from "../add/patience.js";

const MOST_PICTURES = 8;
const MOST_BYTES = 24e6;
const MOST_ATTEMPTS = 6;
/** Also out of time: what a request has embedded is kept, so the next one comes further. */
const BUSY = new Set([429, 503, 504]);
const TOO_LARGE = 413;
const OF_THE_PICTURE = new Set([413, 415]);

/**
 * Cut pictures into batches.
 *
 * @param {import("./picture.js").Picture[]} pictures
 * @param {number} [most] pictures of one batch
 * @returns {import("./picture.js").Picture[][]}
 */
export function batchesOf(pictures, most = MOST_PICTURES) {
  const batches = [];
  let bytes = 0;
  for (const picture of pictures) {
    const last = batches.at(-1);
    if (!last || last.length === most || bytes + picture.bytes > MOST_BYTES) {
      batches.push([picture]);
      bytes = picture.bytes;
    } else {
      last.push(picture);
      bytes += picture.bytes;
    }
  }
  return batches;
}

/**
 * Ask for one batch. A service that is busy is asked again; a batch that is too large is halved; a
 * picture that is refused by itself gets the error as its result.
 *
 * @param {import("./picture.js").Picture[]} batch
 * @param {(batch: import("./picture.js").Picture[]) => Promise<{results: object[]}>} ask
 * @param {AbortSignal} signal
 * @returns {Promise<{results: object[], answers: object[]}>} a result for each picture in order
 */
export async function askPatiently(batch, ask, signal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await ask(batch);
      return { results: answer.results, answers: [answer] };
    } catch (error) {
      if (error.status === TOO_LARGE && batch.length > 1) return askHalves(batch, ask, signal);
      if (batch.length === 1 && isOfThePicture(error)) return { results: [failed(error)], answers: [] };
      if (!BUSY.has(error.status) || attempt === MOST_ATTEMPTS) throw error;
      await wait({ attempt, leastS: error.retryAfterS, signal });
    }
  }
}

async function askHalves(batch, ask, signal) {
  const middle = Math.ceil(batch.length / 2);
  const first = await askPatiently(batch.slice(0, middle), ask, signal);
  const second = await askPatiently(batch.slice(middle), ask, signal);
  return {
    results: [...first.results, ...second.results],
    answers: [...first.answers, ...second.answers],
  };
}

function isOfThePicture({ status, param }) {
  return OF_THE_PICTURE.has(status) || Boolean(param?.startsWith("image"));
}

function failed(error) {
  return { status: "error", error: { message: error.message, code: error.code } };
}
