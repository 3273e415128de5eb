/** What the view asks the service for. */

import { send } from "../api.js";

/**
 * Ask how the service does.
 *
 * @param {{signal: AbortSignal}} options
 * @returns {Promise<object>} see docs/operate.md; counters run since the process began
 */
export function getHealth({ signal }) {
  return send("/v1/health", { signal, scope: "admin" });
}
