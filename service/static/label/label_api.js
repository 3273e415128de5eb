/** The requests of the label view: labels, label sets, templates, and learning. */

import { send } from "../api.js";

/**
 * What to ask of pictures.
 *
 * @typedef {{labels: string[]|null, labelSet: string|null, templateSet: string|null,
 *   mode: "single"|"multi", topK: number, alpha: number|null, useHead: boolean,
 *   abstain: object|null, temperature: number|null}} Question exactly one of `labels` and
 *   `labelSet` is given; `null` elsewhere leaves the choice to the service
 */

/**
 * Label pictures: files first, then items of the gallery.
 *
 * @param {{images: Blob[], imageIds: string[]}} sources
 * @param {Question} question
 * @param {AbortSignal} [signal]
 * @returns {Promise<{results: object[], took_ms: number, warnings: string[], head: object|null}>}
 */
export function classify(sources, question, signal) {
  const fields = {
    labels: question.labels,
    label_set: question.labelSet,
    template_set: question.templateSet,
    mode: question.mode,
    top_k: question.topK,
    alpha: question.alpha,
    use_head: question.useHead,
    abstain: question.abstain,
    temperature: question.temperature,
  };
  return send("/v1/classify", { form: formOf(sources, fields), signal });
}

/** @returns {Promise<{default: string, template_sets: object[]}>} the built-in templates */
export function getTemplateSets() {
  return send("/v1/template-sets");
}

/** @returns {Promise<{label_sets: object[]}>} the newest version of each label set */
export function getLabelSets() {
  return send("/v1/label-sets");
}

/**
 * Get a label set.
 *
 * @param {string} reference `name` or `name@version`
 * @returns {Promise<object>}
 */
export function getLabelSet(reference) {
  return send(addressOf(reference));
}

/**
 * Get what a label set learned.
 *
 * @param {string} reference
 * @param {{effect?: boolean}} [options] `effect` also asks for before and after of calibrations
 * @returns {Promise<{versions: number[], head: object|null, calibrations: object,
 *   warnings: string[]}>}
 */
export function getFits(reference, { effect = false } = {}) {
  return send(`${addressOf(reference)}/fits?effect=${effect}`);
}

/**
 * Save a label set as the next version of its name.
 *
 * @param {object} content as `POST /v1/label-sets` takes it
 * @returns {Promise<object>}
 */
export function saveLabelSet(content) {
  return send("/v1/label-sets", { json: content, scope: "write" });
}

/**
 * Send examples of labels to learn from.
 *
 * @param {string} reference
 * @param {{images: Blob[], imageIds: string[]}} sources
 * @param {{labels: string[], head: string, replace: boolean}} fields
 * @param {AbortSignal} [signal]
 * @returns {Promise<{head: object, results: object[]}>}
 */
export function addExamples(reference, sources, fields, signal) {
  const form = formOf(sources, fields);
  return send(`${addressOf(reference)}/examples`, { form, scope: "write", signal });
}

/**
 * Send pictures to calibrate on.
 *
 * @param {string} reference
 * @param {{images: Blob[], imageIds: string[]}} sources
 * @param {{labels: (string|null)[], mode: string, replace: boolean}} fields `null` is a picture of
 *   none of the labels
 * @param {AbortSignal} [signal]
 * @returns {Promise<{calibration: object, results: object[]}>}
 */
export function calibrate(reference, sources, fields, signal) {
  const form = formOf(sources, fields);
  return send(`${addressOf(reference)}/calibrate`, { form, scope: "write", signal });
}

function addressOf(reference) {
  return `/v1/label-sets/${encodeURIComponent(reference)}`;
}

function formOf({ images, imageIds }, fields) {
  const form = new FormData();
  for (const image of images) form.append("image", image, image.name ?? "image");
  if (imageIds.length) form.append("image_id", JSON.stringify(imageIds));
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue;
    form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return form;
}
