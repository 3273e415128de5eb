/** The wire: every request of the page to the service, and its errors. */

import { KeyRefused, askForKey, forgetKey, keyFor } from "./key_prompt.js";

/** Event of the document: a request got no answer at all. */
export const SERVICE_LOST = "service-lost";
const NEEDS_KEY = 401;
const MAY_NOT = 403;

/** What the service said was wrong, in its own words. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status; 0 when there was no answer
   * @param {{message?: string, code?: string, param?: string}} body the `error` object
   * @param {number|null} [retryAfterS] seconds after which the service wants to be asked again
   */
  constructor(status, body, retryAfterS = null) {
    super(body.message ?? `the service answered ${status} without saying why`);
    this.name = "ApiError";
    this.status = status;
    this.code = body.code ?? null;
    this.param = body.param ?? null;
    this.retryAfterS = retryAfterS;
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
  return send("/v1/fields");
}

/**
 * Get the most frequent values of a metadata field.
 *
 * @param {string} name
 * @param {number} limit
 * @returns {Promise<{values: {value: string|number|boolean, items: number}[], more: boolean}>}
 */
export function getFieldValues(name, limit) {
  return send(`/v1/fields/${encodeURIComponent(name)}/values?limit=${limit}`);
}

/**
 * @returns {Promise<{count: number, coverage: number, read_only: boolean, limits: object}>} what
 *   the gallery holds, whether it can be changed here, and how much one request may bring
 */
export function getGallery() {
  return send("/v1/gallery");
}

/** @returns {Promise<{data: {id: string}[]}>} the model that is served */
export function getModels() {
  return send("/v1/models");
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

/**
 * Send a request and return the JSON of its answer. Views make their own calls with it.
 *
 * Where the gallery has keys, the cookie of the page may only look. A request that needs more names
 * the `scope`: the user is asked for a key once, and it goes with every such request.
 *
 * @param {string} path
 * @param {{method?: string, json?: object, form?: FormData, headers?: Object<string, string>,
 *   scope?: "read"|"write"|"admin", signal?: AbortSignal}} [request] without a `method` it is POST
 *   where there is a body, else GET
 * @returns {Promise<object>}
 * @throws {ApiError} the service refused it or did not answer, or the user gave no key
 */
export async function send(path, request = {}) {
  const { scope = "read" } = request;
  const key = keyFor(scope);
  const response = await answer(path, optionsOf(request, key));
  const body = await response.json().catch((error) => {
    if (isSuperseded(error)) throw error;
    return {};
  });
  if (needsKey(response.status, body.error, scope)) {
    if (key) forgetKey(key);
    await askFor(scope, body.error?.message ?? "");
    return send(path, request);
  }
  if (!response.ok) {
    const seconds = Number.parseFloat(response.headers.get("retry-after"));
    throw new ApiError(response.status, body.error ?? {}, Number.isNaN(seconds) ? null : seconds);
  }
  return body;
}

function optionsOf({ method, json, form, headers = {}, signal }, key) {
  const options = { signal, headers: { accept: "application/json", ...headers } };
  if (json || form) options.method = "POST";
  if (method) options.method = method;
  if (key) options.headers.authorization = `Bearer ${key}`;
  if (json) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(json);
  }
  if (form) options.body = form;
  return options;
}

function needsKey(status, error, scope) {
  // A read-only service refuses with the same status, and no key changes that.
  return status === NEEDS_KEY || (status === MAY_NOT && error?.code === "scope" && scope !== "read");
}

async function askFor(scope, reason) {
  try {
    await askForKey(reason, scope);
  } catch (error) {
    if (!(error instanceof KeyRefused)) throw error;
    throw new ApiError(MAY_NOT, { message: error.message, code: "no_key" });
  }
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
