/**
 * The state in words: what an operator has to do something about, in plain sentences.
 *
 * @typedef {{level: "note"|"attention"|"trouble", text: string}} Reason
 */

import { bytes, count, percent, span } from "./formats.js";
import { total } from "./history.js";

const FULL = 0.9;
const REFUSED_BADLY = 0.1;
/** Share and bytes that are free: a tenth of a large disk is much room. */
const LITTLE_ROOM = { share: 0.1, bytes: 20e9 };
const NO_ROOM = { share: 0.03, bytes: 3e9 };
const FAR_FROM_BASE = 0.5;
const LEVELS = ["note", "attention", "trouble"];
const VERDICTS = { note: "All well", attention: "Worth a look", trouble: "In trouble" };

/**
 * Judge a service.
 *
 * @param {object} health the newest answer
 * @param {import("./history.js").Period} period the last minutes
 * @returns {{level: "note"|"attention"|"trouble", verdict: string, reasons: Reason[]}} the worst
 *   reasons first
 */
export function judge(health, period) {
  const reasons = [
    ...readiness(health),
    ...answers(period),
    ...queues(health),
    ...storage(health, period),
    ...index(health, period),
    ...notes(health),
  ];
  reasons.sort((one, other) => LEVELS.indexOf(other.level) - LEVELS.indexOf(one.level));
  const level = reasons[0]?.level ?? "note";
  return { level, verdict: VERDICTS[level], reasons };
}

function readiness({ ready }) {
  return ready.ok ? [] : [{ level: "trouble", text: `It takes no requests: ${ready.reason}.` }];
}

function answers(period) {
  const when = period.isSinceStart ? "since the start" : `in the last ${span(period.seconds)}`;
  const all = period.grown(({ requests }) => total(requests.by_status));
  const refused = period.grown(({ requests }) => total(requests.by_status, (status) => status === "429"));
  const failed = period.grown(({ requests }) => total(requests.by_status, isFailure));
  const found = [];
  if (refused > 0) {
    const level = refused / all > REFUSED_BADLY ? "trouble" : "attention";
    found.push({ level, text: `It is full: ${percent(refused / all)} of the requests were refused ${when}.` });
  }
  if (failed > 0) {
    const level = period.isSinceStart ? "attention" : "trouble";
    found.push({ level, text: `${count(failed, "request")} failed ${when}; the log says why.` });
  }
  return found;
}

/** 503 while it starts or drains is no failure of a request, and is told by its readiness. */
function isFailure(status) {
  return status.startsWith("5") && status !== "503";
}

function queues({ lanes, admission }) {
  const found = lanes
    .filter(({ queued, queued_limit: limit }) => queued > FULL * limit)
    .map(({ lane, queued }) => {
      return { level: "attention", text: `The queue of ${lane}s is nearly full: ${queued} wait for the model.` };
    });
  if (admission.cost > FULL * admission.cost_limit) {
    const share = percent(admission.cost / admission.cost_limit);
    found.push({ level: "attention", text: `It is busy: the work in flight is ${share} of what is let in.` });
  }
  return found;
}

function storage({ disk, gallery }, period) {
  const found = [];
  const errors = period.grown(({ writes }) => writes.errors);
  if (errors > 0) found.push({ level: "trouble", text: `${count(errors, "change")} could not be stored.` });
  if (hasLess(disk, LITTLE_ROOM)) {
    const level = hasLess(disk, NO_ROOM) ? "trouble" : "attention";
    const used = percent(1 - disk.free_bytes / disk.total_bytes);
    found.push({ level, text: `The disk is ${used} full: ${bytes(disk.free_bytes)} are free.` });
  }
  if (gallery.damaged) {
    const text = `${count(gallery.damaged, "picture")} cannot be found, because the vector is damaged; sightline doctor --fix mends it.`;
    found.push({ level: "attention", text });
  }
  return found;
}

function hasLess({ free_bytes: free, total_bytes: all }, room) {
  return all > 0 && free < room.share * all && free < room.bytes;
}

function index({ index: { merging, base, delta, dead } }, period) {
  const errors = period.grown((health) => health.index.merge_errors);
  const found = [];
  if (errors > 0) {
    const text = `${count(errors, "merge")} of the index came to nothing; searches stay right, and become slower.`;
    found.push({ level: "attention", text });
  }
  if (merging) found.push({ level: "note", text: "A merge of the index is running; searches go on meanwhile." });
  else if (base && delta + dead > FAR_FROM_BASE * base) {
    found.push({ level: "note", text: "Much of the index is outside its base; the next merge mends that." });
  }
  return found;
}

function notes({ failures, model, process, gallery }) {
  const found = [];
  if (!gallery.items) found.push({ level: "note", text: "The gallery is empty." });
  if (failures.count) {
    const text = `${count(failures.count, "file")} could not be added; the reasons are below.`;
    found.push({ level: "note", text });
  }
  if (!model.calibrated) {
    found.push({ level: "note", text: "Hits have no confidence: the model is not calibrated." });
  }
  if (process.read_only) found.push({ level: "note", text: "It is read-only." });
  return found;
}
