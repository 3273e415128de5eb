/** The wire: every request of the page to the service, and its errors. */

import { askForKey } from "./key_prompt.js";

/** Event of the document: a request got no answer at all. */
export const SERVICE_LOST = "service-lost";
const NEEDS_KEY = 401;

/** What the service said was wrong, in its own words. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status; 0 when there was no answer
   * @param {{message?: string, code?: string, param?: string}} body the `error` object
   */
  constructor(status, body) {
    super(body.message ?? `the service answered ${status} without saying why`);
    this.name = "ApiError";
    this.status = status;
    this.code = body.code ?? null;
    this.param = body.param ?? null;
  }
}

/**
 * Search by words, by a picture, or by both.
 *
 * @param {{query: string, image?: Blob|null, k: number, cursor?: string|null, explain?: boolean,
 *   mode?: string, filter?: object|string|null, signal?: AbortSignal}} request `query` is in the
 *   query language
 * @returns {Promise<{hits: object[], plan: string, took_ms: number, cursor: string|null,
 *   model: string}>}
 */
export function search({ image = null, signal, ...fields }) {
  const given = Object.entries(fields).filter(([, value]) => (value ?? "") !== "");
  if (!image) return send("/v1/search", { json: Object.fromEntries(given), signal });
  const form = new FormData();
  form.append("image", image);
  for (const [name, value] of given) form.append(name, formText(value));
  return send("/v1/search", { form, signal });
}

/**
 * Label pictures.
 *
 * @param {{images: Blob[], labels: string[], templateSet: string, mode: string,
 *   signal?: AbortSignal}} request
 * @returns {Promise<{results: object[], took_ms: number, model: string}>}
 */
export function classify({ images, labels, templateSet, mode, signal }) {
  const form = new FormData();
  for (const image of images) form.append("image", image, image.name ?? "image");
  form.append("labels", JSON.stringify(labels));
  form.append("template_set", templateSet);
  form.append("mode", mode);
  form.append("top_k", String(labels.length));
  return send("/v1/classify", { form, signal });
}

/**
 * List items of the gallery in the order of their ids.
 *
 * @param {{limit: number, cursor: string|null, filter?: object|string|null,
 *   signal?: AbortSignal}} request
 * @returns {Promise<{items: object[], cursor: string|null}>}
 */
export function listItems({ limit, cursor, filter = null, signal }) {
  const parameters = new URLSearchParams({ limit: String(limit) });
  if (cursor) parameters.set("cursor", cursor);
  if (filter) parameters.set("filter", formText(filter));
  return send(`/v1/items?${parameters}`, { signal });
}

/**
 * Get one item: caption, metadata and where its pictures are.
 *
 * @param {string} id
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<object>}
 */
export function getItem(id, { signal } = {}) {
  return send(`/v1/items/${encodeURIComponent(id)}`, { signal });
}

/** @returns {Promise<{fields: {name: string, items: number}[]}>} the metadata fields */
export function getFields() {
  return send("/v1/fields", {});
}

/**
 * Get the most frequent values of a metadata field.
 *
 * @param {string} name
 * @param {number} limit
 * @returns {Promise<{values: {value: string|number|boolean, items: number}[], more: boolean}>}
 */
export function getFieldValues(name, limit) {
  return send(`/v1/fields/${encodeURIComponent(name)}/values?limit=${limit}`, {});
}

/** @returns {Promise<{count: number}>} what the gallery holds */
export function getGallery() {
  return send("/v1/gallery", {});
}

/** @returns {Promise<{data: {id: string}[]}>} the model that is served */
export function getModels() {
  return send("/v1/models", {});
}

/**
 * Say whether an error only means that a newer request took the place of this one.
 *
 * @param {unknown} error
 * @returns {boolean}
 */
export function isSuperseded(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

async function send(path, { json, form, signal }) {
  const options = { signal, headers: { accept: "application/json" } };
  if (json || form) options.method = "POST";
  if (json) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(json);
  }
  if (form) options.body = form;
  const response = await answer(path, options);
  const body = await response.json().catch((error) => {
    if (isSuperseded(error)) throw error;
    return {};
  });
  if (response.status === NEEDS_KEY) {
    await askForKey(body.error?.message ?? "");
    return send(path, { json, form, signal });
  }
  if (!response.ok) throw new ApiError(response.status, body.error ?? {});
  return body;
}

async function answer(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (isSuperseded(error)) throw error;
    document.dispatchEvent(new Event(SERVICE_LOST));
    throw new ApiError(0, {
      message: "the service does not answer; see whether it is still running, then try again",
    });
  }
}

function formText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
