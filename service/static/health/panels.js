/** The cards of numbers: each reads the newest answer and the last minutes, and fills its place. */

import { byId, element } from "../dom.js";
import { pictures } from "../status.js";
import { fillFacts, fillNumber, fillRows, fillText, partsBar } from "./fills.js";
import { bytes, count, milliseconds, percent, rate, span, whole } from "./formats.js";
import { percentile, together, total } from "./history.js";
import { Sparkline } from "./sparkline.js";

const TAIL = 0.95;
const answered = ({ requests }) => total(requests.by_status);
const refused = ({ requests }) => total(requests.refused);
const modelSeconds = ({ lanes }) => lanes.reduce((sum, lane) => sum + lane.model_seconds, 0);

/** Requests a second, and how close to full. */
export class LoadPanel {
  constructor() {
    this.line = new Sparkline(byId("health-rate-line"));
  }

  /** @param {object} health @param {import("./history.js").History} history */
  show(health, history) {
    const { period } = history;
    const requests = (one) => one.routes.reduce((sum, { count: found }) => sum + found, 0);
    fillNumber("health-rate", rate(requests(period) / period.seconds), "");
    this.line.show(history.series((one) => requests(one) / one.seconds));
    const { admission } = health;
    fillFacts(byId("health-load"), [
      ["In flight", `${admission.requests} of ${whole(admission.requests_limit)}`],
      ["Work let in", `${percent(admission.cost / admission.cost_limit)} of what fits`],
      ["Answered", `${whole(answered(health))} since the start`],
      ["Refused", `${whole(refused(health))}${codes(health.requests.refused)}`],
    ]);
  }
}

/** How long people wait. */
export class LatencyPanel {
  constructor() {
    this.line = new Sparkline(byId("health-latency-line"));
  }

  /** @param {object} health @param {import("./history.js").History} history */
  show(health, history) {
    const bounds = health.requests.bounds_s;
    const { isSinceStart, seconds, routes } = chosen(history);
    const { count: requests, buckets } = together(routes);
    const tail = (found) => percentile(found, bounds, TAIL);
    fillNumber("health-latency-number", milliseconds(tail(buckets)), requests ? "for 95 of 100" : "no request yet");
    this.line.show(history.series((one) => tail(together(one.routes).buckets) ?? 0));
    fillFacts(byId("health-latency"), [
      ["Half of them within", milliseconds(percentile(buckets, bounds, 0.5))],
      ["99 of 100 within", milliseconds(percentile(buckets, bounds, 0.99))],
      ["Seen", isSinceStart ? "since the start" : `in the last ${span(seconds)}`],
    ]);
    this.#routes(routes, bounds, isSinceStart ? "Since the start" : `In the last ${span(seconds)}`);
  }

  #routes(routes, bounds, when) {
    fillText(byId("health-routes-hint"), routes.length ? when : "No request yet, but those of this page.");
    const rows = [...routes].sort((one, other) => other.count - one.count).map(({ route, count: found, buckets }) => {
      const times = [0.5, TAIL, 0.99].map((share) => milliseconds(percentile(buckets, bounds, share)));
      return [route, whole(found), ...times];
    });
    fillRows(byId("health-routes"), rows, ([route, ...cells]) => {
      const head = element("th", { scope: "row" }, route);
      return element("tr", {}, head, ...cells.map((cell) => element("td", {}, cell)));
    });
  }
}

/** What waits for the model, and how busy that is. */
export class QueuePanel {
  constructor() {
    this.line = new Sparkline(byId("health-queue-line"));
  }

  /** @param {object} health @param {import("./history.js").History} history */
  show({ lanes }, history) {
    const { period } = history;
    fillNumber("health-queue-number", percent(period.rate(modelSeconds)), "busy");
    this.line.show(history.series((one) => one.rate(modelSeconds)));
    const waiting = lanes.map(({ lane, queued }) => count(queued, lane)).join(", ");
    fillFacts(byId("health-queue"), [
      ["Waiting now", waiting],
      ...lanes.filter(({ batches }) => batches).map(({ lane, batches, inputs, model_seconds: took }) => {
        return [`A batch of ${lane}s`, `${(inputs / batches).toFixed(1)} in ${milliseconds(took / batches)}`];
      }),
      ["Wait for it", milliseconds(meanWait(lanes))],
    ]);
  }
}

/** Whether everything can be found, and how. */
export class IndexPanel {
  /** @param {object} health */
  show({ gallery, index, writes, now_ms: now }) {
    fillNumber("health-gallery-number", percent(gallery.coverage), `of ${pictures(gallery.items)} can be found`);
    const rows = Math.max(1, index.base + index.delta);
    byId("health-index-bar").replaceChildren(
      partsBar([
        { name: "base", share: (index.base - index.dead) / rows },
        { name: "dead", share: index.dead / rows },
        { name: "delta", share: index.delta / rows },
      ]),
    );
    fillFacts(byId("health-index"), [
      ["Index", index.exact ? `${index.kind}, exact` : `${index.plan}`],
      ["In its base", whole(index.base)],
      ["New since", whole(index.delta)],
      ["Deleted in it", whole(index.dead)],
      ["Merges", merges(index)],
      ["Snapshot", snapshot(index.snapshot, now)],
      ["Writes waiting", whole(writes.waiting)],
      ["A commit takes", milliseconds(writes.commits ? writes.commit_seconds / writes.commits : null)],
    ]);
  }
}

/** How often remembering helped. */
export class CachePanel {
  /** @param {object} health */
  show({ caches }) {
    const hits = caches.reduce((sum, cache) => sum + cache.hits, 0);
    const asked = hits + caches.reduce((sum, cache) => sum + cache.misses, 0);
    fillNumber("health-cache-number", asked ? percent(hits / asked) : "\u2013", asked ? "hits" : "not asked yet");
    const facts = caches.map(({ name, hits: found, misses, entries, entries_limit: limit }) => {
      const share = found + misses ? `${percent(found / (found + misses))} hits, ` : "";
      return [`${name[0].toUpperCase()}${name.slice(1)}s`, `${share}${whole(entries)} of ${whole(limit)}`];
    });
    fillFacts(byId("health-cache"), facts);
  }
}

/** Processor, memory and disk. */
export class MachinePanel {
  /** @param {object} health @param {import("./history.js").History} history */
  show({ process, disk, now_ms: now }, history) {
    const cores = history.period.rate((health) => health.process.cpu_seconds);
    fillNumber("health-machine-number", bytes(disk.free_bytes), `of ${bytes(disk.total_bytes)} free`);
    const all = Math.max(1, disk.total_bytes);
    byId("health-disk-bar").replaceChildren(
      partsBar([
        { name: "base", share: disk.gallery_bytes / all },
        { name: "dead", share: (all - disk.free_bytes - disk.gallery_bytes) / all },
      ]),
    );
    fillFacts(byId("health-machine"), [
      ["Gallery", bytes(disk.gallery_bytes)],
      ["Pictures kept in it", bytes(disk.images_bytes)],
      ["Thumbnails", bytes(disk.thumbnails_bytes)],
      ["Record and index", bytes(disk.database_bytes + disk.snapshots_bytes)],
      ["Processor", `${cores.toFixed(1)} of ${count(process.cores, "core")}`],
      ["Memory", process.memory_bytes ? bytes(process.memory_bytes) : "not told by this system"],
      ["Up for", span((now - process.started_ms) / 1000)],
      ["Process", process.processes > 1 ? `${process.pid}, one of ${process.processes}` : String(process.pid)],
    ]);
  }
}

/** The last minutes where somebody asked in them, else the whole time. */
function chosen(history) {
  return history.period.routes.length ? history.period : history.whole;
}

function codes(numbers) {
  const names = Object.entries(numbers).map(([code, found]) => `${code} ${whole(found)}`);
  return names.length ? `: ${names.join(", ")}` : "";
}

function meanWait(lanes) {
  const waits = lanes.reduce((sum, lane) => sum + lane.waits, 0);
  return waits ? lanes.reduce((sum, lane) => sum + lane.waited_seconds, 0) / waits : null;
}

function merges({ merging, merges: done, merge_errors: errors }) {
  const parts = [merging ? "running now" : `${whole(done)} done`];
  if (errors) parts.push(`${whole(errors)} failed`);
  return parts.join(", ");
}

function snapshot(found, now) {
  if (!found) return "none yet";
  const age = found.saved_ms === null ? "" : `, ${span((now - found.saved_ms) / 1000)} old`;
  return `${bytes(found.bytes)}${age}`;
}
