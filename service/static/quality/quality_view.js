/** The quality view: what the marks say of the search, and the reports of evaluations. */

import { isSuperseded } from "../api.js";
import { byId, showNotice } from "../dom.js";
import { JudgedTable } from "./judged_table.js";
import { showMeasures } from "./measures.js";
import { forgetQuery, getQuality } from "./quality_api.js";
import { ReportShelf } from "./report_shelf.js";

/** Measures the judged queries whenever it is shown, so it is never behind the marks. */
export class View {
  /** Listen; nothing is asked before the view is shown. */
  constructor() {
    this.notice = byId("quality-notice");
    this.part = byId("judged");
    this.table = new JudgedTable({ onForget: (query) => this.#forget(query) });
    this.shelf = new ReportShelf();
    byId("quality-k").addEventListener("change", () => this.#measure());
  }

  /** @returns {string} what dropping pictures here does */
  get dropText() {
    return "Pictures are added in the view Add";
  }

  /**
   * Show the view.
   *
   * @param {import("../route.js").Route} route
   */
  show(route) {
    this.#measure();
    this.shelf.show(route.report);
  }

  /** Another view takes the place of this one. */
  hide() {
    this.request?.abort();
    this.shelf.close();
  }

  /** There is nothing here to do with pictures. */
  takeImages() {}

  async #measure() {
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const k = Number(byId("quality-k").querySelector("input:checked").value);
    this.part.setAttribute("aria-busy", "true");
    try {
      this.#show(await getQuality(k, { signal }));
      showNotice(this.notice, null);
    } catch (error) {
      if (isSuperseded(error) || signal.aborted) return;
      const action = { label: "Try again", run: () => this.#measure() };
      showNotice(this.notice, { title: "The queries cannot be measured", text: error.message, action });
    }
    this.part.setAttribute("aria-busy", "false");
  }

  #show(quality) {
    const { queries } = quality;
    byId("judged-empty").hidden = Boolean(queries.length);
    byId("judged-found").hidden = !queries.length;
    byId("judged-summary").textContent = queries.length ? summary(quality) : "";
    showMeasures(byId("quality-measures"), quality);
    this.table.show(quality);
  }

  async #forget(query) {
    try {
      await forgetQuery(query);
    } catch (error) {
      showNotice(this.notice, { title: "The marks are still there", text: error.message });
      return;
    }
    await this.#measure();
    byId("judged-title").scrollIntoView({ block: "nearest" });
  }
}

function summary({ queries, left_out: leftOut, took_ms: tookMs, without_right: withoutRight }) {
  const parts = [queries.length === 1 ? "1 query" : `${queries.length} queries`];
  if (leftOut) parts.push(`${leftOut} older ones left out`);
  if (withoutRight) parts.push(`${withoutRight} without a right hit`);
  parts.push(`${Math.round(tookMs)} ms`);
  return parts.join(" \u00b7 ");
}
