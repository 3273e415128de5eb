/** The wire of judged queries and reports. */

import { send } from "../api.js";
import { asked, JUDGEMENTS } from "../search/marks_api.js";

/**
 * Take back all marks of a query.
 *
 * @param {{query: string, mode: string, filter: object|null}} shown
 * @returns {Promise<{deleted: number}>}
 */
export function forgetQuery(shown) {
  return send(`${JUDGEMENTS}?${asked(shown)}`, { method: "DELETE", scope: "write" });
}

/**
 * Measure all judged queries.
 *
 * @param {number} k
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{queries: object[], mean: object, without_right: number, left_out: number}>}
 */
export function getQuality(k, { signal } = {}) {
  return send(`${JUDGEMENTS}/quality?k=${k}`, { signal });
}

/** @returns {Promise<{shown: boolean, reports: object[]}>} the reports, the newest first */
export function getReports() {
  return send("/v1/reports");
}
