/** The reports that the operator shows: figures in a list, a page opened in its place. */

import { byId, element } from "../dom.js";
import { routeAddress } from "../route.js";
import { getReports } from "./quality_api.js";
import { share } from "./measures.js";

const FIRST_REPORT = "sightline evaluate retrieval pairs.jsonl --out reports/first\nsightline serve --reports reports";
const NOT_SHOWN = {
  title: "This service shows no reports",
  text: "Make one from image-text pairs of yours, and tell the service where reports lie:",
};
const NONE = {
  title: "There is no report yet",
  text: "Make one from image-text pairs of yours; it appears here when you come back:",
};

/** The list, and the report that is open. */
export class ReportShelf {
  /** Nothing is asked before it is shown. */
  constructor() {
    this.place = byId("report-place");
    this.area = byId("report-open");
    this.open = null;
  }

  /**
   * Show the reports, and one of them in its place.
   *
   * @param {string|null} name
   */
  async show(name) {
    if (!name) this.close();
    const answer = await getReports().catch((error) => ({ error }));
    if (answer.error) {
      byId("reports-summary").textContent = answer.error.message;
      return;
    }
    this.#list(answer);
    if (name) this.#show(name, answer.reports);
  }

  /** Put the open report away. */
  close() {
    this.open = null;
    this.area.hidden = true;
    this.place.replaceChildren();
  }

  #list({ shown, reports }) {
    const count = reports.length;
    byId("reports-summary").textContent = count ? `${count} in all, the newest first` : "";
    byId("reports-found").hidden = !count;
    byId("reports-empty").hidden = Boolean(count);
    const { title, text } = shown ? NONE : NOT_SHOWN;
    byId("reports-empty-title").textContent = title;
    byId("reports-empty-text").textContent = text;
    byId("reports-empty-code").textContent = FIRST_REPORT;
    byId("report-list").replaceChildren(...reports.map(reportItem));
    const [newest, before] = comparable(reports);
    byId("reports-compare").hidden = !before;
    if (before) {
      const names = [before.name, newest.name].map((name) => `REPORTS/${name}`).join(" ");
      byId("reports-compare-code").textContent = `sightline evaluate compare ${names}`;
    }
  }

  #show(name, reports) {
    if (this.open === name) return;
    const report = reports.find((one) => one.name === name);
    const address = report?.page_url ?? null;
    this.area.hidden = false;
    byId("report-title").textContent = address ? name : `There is no page of a report ${name}`;
    byId("report-tab").hidden = !address;
    this.place.replaceChildren(...(address ? [frame(name, address)] : []));
    if (address) byId("report-tab").href = address;
    this.open = name;
    byId("report-title").focus({ preventScroll: true });
    this.area.scrollIntoView({ block: "start" });
  }
}

/** A frame that has been somewhere before would put a step into the history; a new one does not. */
function frame(name, address) {
  const title = `The report ${name}`;
  return element("iframe", { sandbox: "", class: "report-frame", title, src: address });
}

/** The newest two reports that are of one kind, the newer first; fewer where there are none. */
function comparable(reports) {
  const whole = reports.filter(({ problem }) => !problem);
  const pairs = whole.map((one) => whole.filter(({ kind }) => kind === one.kind));
  return pairs.find((found) => found.length > 1) ?? [];
}

function reportItem(report) {
  const { name, kind, model, n, metrics, page_url: page, problem, written_ms: written } = report;
  const facts = [kind, model, n === null ? null : `n ${n}`, new Date(written).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })];
  const title = page
    ? element("a", { href: routeAddress({ view: "quality", report: name }), dir: "auto" }, name)
    : element("span", { dir: "auto" }, name);
  return element(
    "li",
    { class: "report" },
    element("h3", {}, title),
    element("p", { class: "hint" }, facts.filter(Boolean).join(" \u00b7 ")),
    problem ? element("p", { class: "row-problem" }, problem) : figures(metrics),
    page || problem ? null : element("p", { class: "hint" }, "It has no page: sightline evaluate report makes one."),
  );
}

function figures(metrics) {
  const parts = metrics.flatMap(({ name, value, ci_low: low, ci_high: high, unit }) => {
    const text = unit === "ms" && typeof value === "number" ? `${value.toFixed(1)} ms` : share(value);
    const interval = typeof low === "number" ? ` ${low.toFixed(2)} to ${high.toFixed(2)}` : "";
    const small = element("span", { class: "report-interval" }, interval);
    return [element("dt", {}, name), element("dd", {}, element("b", {}, text), small)];
  });
  return element("dl", { class: "report-figures" }, ...parts);
}
