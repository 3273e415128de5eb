/** The wire of marks: those of the query that is shown, and what they say of it. */

import { send } from "../api.js";

/** Where judged queries are. */
export const JUDGEMENTS = "/v1/judgements";

/**
 * Get the marks of a query.
 *
 * @param {{query: string, mode: string, filter: object|string|null}} shown
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<Map<string, number>>} grade by item id: 1 right, 0 wrong
 */
export async function getMarks(shown, { signal } = {}) {
  const { queries } = await send(`${JUDGEMENTS}?${asked(shown)}`, { signal });
  const marks = (queries[0]?.marks ?? []).filter(({ present }) => present);
  return new Map(marks.map(({ item_id: id, grade }) => [id, grade]));
}

/**
 * Mark a hit.
 *
 * @param {{query: string, mode: string, filter: object|string|null}} shown
 * @param {string} id
 * @param {number|null} grade 1 right, 0 wrong, `null` takes the mark back
 * @returns {Promise<object>}
 */
export function putMark({ query, mode, filter }, id, grade) {
  const json = { query, mode, marks: [{ item_id: id, grade }] };
  if (filter) json.filter = filter;
  return send(JUDGEMENTS, { method: "PUT", json, scope: "write" });
}

/**
 * Measure one query.
 *
 * @param {{query: string, mode: string, filter: object|string|null}} shown
 * @param {number} k
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<object>} its counts, `values` and `error`
 */
export async function getQueryQuality(shown, k, { signal } = {}) {
  const { queries } = await send(`${JUDGEMENTS}/quality?k=${k}&${asked(shown)}`, { signal });
  return queries[0];
}

/**
 * Return a query as the parameters of an address.
 *
 * @param {{query: string, mode: string, filter: object|string|null}} shown
 * @returns {URLSearchParams}
 */
export function asked({ query, mode, filter }) {
  const parameters = new URLSearchParams({ q: query, mode });
  if (filter) parameters.set("filter", typeof filter === "string" ? filter : JSON.stringify(filter));
  return parameters;
}
