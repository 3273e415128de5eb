/** What the label view says of all pictures together, and of what went wrong. */

import { pictures } from "../status.js";

const MISMATCH = "encoder_mismatch";

/**
 * Return what is missing before labels can be asked for.
 *
 * @param {string[]} labels
 * @param {"single"|"multi"} mode
 * @param {object[]} shown pictures
 * @returns {object|null} a notice
 */
export function missing(labels, mode, shown) {
  const isSingle = mode === "single";
  if (labels.length >= (isSingle ? 2 : 1) || !shown.length) return null;
  return {
    tone: "empty",
    title: isSingle ? "Give at least two labels" : "Give a label",
    text: "The scores compare your words with the picture, so there has to be something to say.",
  };
}

/**
 * Return the notice of a run that the user stopped.
 *
 * @param {() => void} again
 * @returns {object}
 */
export function stopped(again) {
  const action = { label: "Label all again", run: again };
  return { tone: "empty", title: "Stopped", text: "The rest has no labels.", action };
}

/**
 * Return the notice of a run that the service refused.
 *
 * @param {Error} error
 * @param {{again: () => void, withoutHead: () => void}} remedies
 * @returns {object}
 */
export function failed(error, { again, withoutHead }) {
  const isMismatch = error.code === MISMATCH;
  const action = isMismatch
    ? { label: "Use the words alone", run: withoutHead }
    : { label: "Try again", run: again };
  return { title: "The service could not label", text: error.message, action };
}

/**
 * Return the notice of a view that could not begin.
 *
 * @param {Error} error
 * @param {() => void} again
 * @returns {object}
 */
export function unstarted(error, again) {
  const action = { label: "Try again", run: again };
  return { title: "Labels and templates could not be loaded", text: error.message, action };
}

/**
 * Return the line above the pictures.
 *
 * @param {import("./label_card.js").LabelCard[]} cards
 * @param {number} labels how many there are
 * @param {number} tookMs 0: not known
 * @returns {string}
 */
export function summary(cards, labels, tookMs) {
  if (!cards.length) return "";
  const { without, failures, known, right } = countsOf(cards);
  const parts = [pictures(cards.length), `${labels.toLocaleString("en")} labels`];
  if (without) parts.push(`${without} without a label`);
  if (failures) parts.push(`${failures} not read`);
  if (known) parts.push(`${right} of ${known} right`);
  if (tookMs) parts.push(`${Math.round(tookMs)} ms`);
  return parts.join(" \u00b7 ");
}

/**
 * Return what a screen reader hears when the pictures are labelled.
 *
 * @param {import("./label_card.js").LabelCard[]} cards
 * @returns {string}
 */
export function announcement(cards) {
  const [first] = cards;
  if (cards.length === 1 && first.verdict) return `${first.picture.name}: ${first.verdict.text}`;
  const { labelled, without, failures } = countsOf(cards);
  const parts = [`${pictures(labelled)} labelled`];
  if (without) parts.push(`${without} without a label`);
  if (failures) parts.push(`${failures} could not be read`);
  return parts.join(", ");
}

function countsOf(cards) {
  const verdicts = cards.map(({ verdict }) => verdict).filter(Boolean);
  return {
    labelled: verdicts.filter(({ label }) => label !== null).length,
    without: verdicts.filter(({ label }) => label === null).length,
    failures: cards.filter(({ picture }) => picture.result?.status === "error").length,
    known: verdicts.filter(({ isRight }) => isRight !== null).length,
    right: verdicts.filter(({ isRight }) => isRight).length,
  };
}
