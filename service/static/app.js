/** The page: two views, one address bar, and the keys and drops that belong to both. */

import { byId, isTyping } from "./dom.js";
import { showHelp, watchHelp } from "./help.js";
import { watchForImages } from "./image_input.js";
import { LabelView } from "./label_view.js";
import { Router } from "./route.js";
import { SearchView } from "./search_view.js";
import { watchStatus } from "./status.js";

/**
 * Start the page.
 *
 * @returns {void}
 */
export function start() {
  const router = new Router((route, state) => show(route, state));
  const views = { search: new SearchView(router), label: new LabelView() };
  let current = views.search;

  function show(route, state) {
    current = views[route.view];
    for (const name of Object.keys(views)) {
      byId(`${name}-view`).hidden = name !== route.view;
      const tab = byId(`tab-${name}`);
      if (name === route.view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    if (route.view === "label") document.title = "Label - Sightline";
    current.show(route, state);
  }

  router.interceptLinks();
  router.refresh();
  listenForKeys(() => current);
  watchForImages({
    overlay: byId("drop-overlay"),
    describe: () => current.dropText,
    take: (files) => current.takeImages(files),
  });
  watchStatus(byId("status"));
  watchHelp();
}

function listenForKeys(currentView) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event.target)) showHelp();
    if (event.key !== "/" || isTyping(event.target) || event.ctrlKey || event.metaKey) return;
    const view = currentView();
    if (!view.focusBox) return;
    event.preventDefault();
    view.focusBox();
  });
  byId("query").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      byId("grid").querySelector(".is-current .tile-open")?.focus();
    }
    if (event.key === "Escape") event.target.blur();
  });
}

start();
