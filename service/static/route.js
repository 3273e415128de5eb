/**
 * The address of the page: which view, which query, which open picture. It is the one place
 * where that state lives, so links can be shared and the back button works.
 *
 * @typedef {{view: string, query: string, item: string|null,
 *   mode: "vector"|"keyword"|"hybrid", filter: object|string|null, cutoff: number,
 *   judge: boolean, set: string|null, report: string|null}} Route
 *   `view` is one of `VIEWS`; `judge` when hits are marked right or wrong; `report` is open in the view "quality"; `set` is the label set of the view "label"; `filter` is text where the address holds none that is JSON; the service says what is wrong
 */

import { filterText, readFilter } from "./search/filters.js";

/** The views of the page; the first is the one of an address that names none. */
export const VIEWS = ["search", "label", "add", "quality", "health"];
const DEFAULT_CUTOFF = 0.05;
const MODES = ["vector", "keyword", "hybrid"];

/**
 * Read the address bar.
 *
 * @returns {Route}
 */
export function readRoute() {
  const parameters = new URLSearchParams(window.location.search);
  return {
    view: VIEWS.find((view) => view === parameters.get("view")) ?? VIEWS[0],
    query: parameters.get("q") ?? "",
    item: parameters.get("item"),
    mode: MODES.find((mode) => mode === parameters.get("mode")) ?? MODES[0],
    filter: readFilter(parameters.get("filter")),
    cutoff: readCutoff(parameters.get("cutoff")),
    judge: parameters.get("judge") === "1",
    report: parameters.get("report"),
    set: parameters.get("set"),
  };
}

/**
 * Return the address of a route.
 *
 * @param {Partial<Route>} route
 * @returns {string}
 */
export function routeAddress(route) {
  const { view = VIEWS[0], query = "", item = null, mode = MODES[0], filter = null } = route;
  const { cutoff = DEFAULT_CUTOFF, judge = false, set = null, report = null } = route;
  const parameters = new URLSearchParams();
  if (view !== VIEWS[0]) parameters.set("view", view);
  if (query) parameters.set("q", query);
  if (mode !== MODES[0]) parameters.set("mode", mode);
  if (filter) parameters.set("filter", filterText(filter));
  if (cutoff !== DEFAULT_CUTOFF) parameters.set("cutoff", String(cutoff));
  if (judge) parameters.set("judge", "1");
  if (item) parameters.set("item", item);
  if (set) parameters.set("set", set);
  if (report) parameters.set("report", report);
  const text = parameters.toString();
  return text ? `/?${text}` : "/";
}

/** Moves between routes and tells the page about it. */
export class Router {
  /** @param {(route: Route, state: object) => void} show called on every change of the address */
  constructor(show) {
    this.show = show;
    // Lists are as long as they were only after they have been drawn again; then they scroll.
    window.history.scrollRestoration = "manual";
    window.addEventListener("popstate", () => {
      this.show(readRoute(), { ...this.state, isReturn: true });
    });
  }

  /** @returns {object} what was kept beside the address, such as the key of a query picture */
  get state() {
    return window.history.state ?? {};
  }

  /** Show what the address says. */
  refresh() {
    this.show(readRoute(), this.state);
  }

  /**
   * Go to a route.
   *
   * @param {Partial<Route>} route
   * @param {{replace?: boolean, state?: object}} [options] `replace` makes no step to go back to
   */
  go(route, { replace = false, state = {} } = {}) {
    const address = routeAddress(route);
    if (replace) window.history.replaceState(state, "", address);
    else window.history.pushState(state, "", address);
    this.refresh();
  }

  /** Let plain clicks on links of the page change the view without loading it again. */
  interceptLinks() {
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
      if (!link || !isPlainClick(event) || !isPage(link)) return;
      event.preventDefault();
      window.history.pushState({}, "", link.href);
      this.refresh();
      window.scrollTo({ top: 0 });
    });
  }
}

function readCutoff(text) {
  const value = Number(text);
  return text !== null && value >= 0 && value <= 1 ? value : DEFAULT_CUTOFF;
}

function isPlainClick(event) {
  const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  return event.button === 0 && !modified && !event.defaultPrevented;
}

function isPage(link) {
  const { origin, pathname } = window.location;
  return link.origin === origin && link.pathname === pathname && !link.hash && !link.target;
}
