/** Files that `sightline add` could not add, with the reasons. */

import { byId, element } from "../dom.js";
import { fillRows, fillText } from "./fills.js";
import { span, whole } from "./formats.js";

/**
 * Show the files that failed last.
 *
 * @param {object} health
 */
export function showFailures({ failures, now_ms: now }) {
  byId("health-failures-card").hidden = !failures.count;
  if (!failures.count) return;
  const codes = Object.entries(failures.codes).map(([code, count]) => `${code} ${whole(count)}`);
  const shown = failures.latest.length < failures.count ? ` \u00b7 the last ${failures.latest.length} are shown` : "";
  fillText(byId("health-failures-codes"), `${codes.join(", ")}${shown}`);
  const rows = failures.latest.map(({ failed_ms: failedMs, ...failure }) => {
    return { ...failure, age: span((now - failedMs) / 1000) };
  });
  fillRows(byId("health-failures"), rows, ({ path, code, message, age }) => {
    return element(
      "li",
      {},
      element("bdi", { class: "health-path" }, path),
      element("span", { dir: "auto" }, message),
      element("span", { class: "hint" }, element("code", {}, code), ` ${age} ago`),
    );
  });
}
