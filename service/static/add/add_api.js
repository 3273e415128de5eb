/** What the view asks the service for: pictures to add, and how many can be found then. */

import { send } from "../api.js";

/**
 * Add pictures. The key makes it safe to send the same ones again: what was done is not done twice.
 *
 * @param {{data: Blob, name: string, described: object}[]} pictures `described` may hold an id, a
 *   caption and metadata
 * @param {{key: string, signal: AbortSignal}} options
 * @returns {Promise<{id: string|null, status: string, error: object|null}[]>} one of each, in order
 */
export async function addImages(pictures, { key, signal }) {
  const form = new FormData();
  for (const { data, name } of pictures) form.append("image", data, name);
  form.append("items", JSON.stringify(pictures.map(({ described }) => described)));
  const headers = { "idempotency-key": key };
  const { results } = await send("/v1/items", { form, headers, signal, scope: "write" });
  return results;
}

/**
 * Return a new key for a batch. `randomUUID` would need https.
 *
 * @returns {string}
 */
export function batchKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
