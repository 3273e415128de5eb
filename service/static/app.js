/** The page: its views, one address bar, and the keys and drops that belong to all of them. */

import { byId, isTyping, showNotice } from "./dom.js";
import { showHelp, watchHelp } from "./help.js";
import { watchForImages } from "./image_input.js";
import { Router, VIEWS } from "./route.js";
import { SearchView } from "./search/search_view.js";
import { watchStatus } from "./status.js";
import { Views } from "./views.js";

/**
 * Start the page.
 *
 * @returns {void}
 */
export function start() {
  const router = new Router((route, state) => show(route, state));
  const search = new SearchView(router);
  const views = new Views({ search }, router);
  let current = search;
  let wanted = "search";

  async function show(route, state) {
    wanted = route.view;
    showTab(route.view);
    if (!views.get(route.view)) {
      const problem = await views.load(route.view).then(() => null, (error) => error);
      // The user may have gone on meanwhile.
      if (wanted !== route.view) return;
      showNotice(byId("view-notice"), problem && lost(problem, router));
      if (problem) return;
    }
    const view = views.get(route.view);
    if (view !== current) {
      current.hide?.();
      window.scrollTo({ top: 0 });
    }
    current = view;
    view.show(route, state);
  }

  router.interceptLinks();
  router.refresh();
  listenForKeys(() => current);
  watchForImages({
    overlay: byId("drop-overlay"),
    describe: () => current.dropText,
    take: (files, transfer) => current.takeImages(files, transfer),
  });
  watchStatus(byId("status"));
  watchHelp();
}

function showTab(name) {
  byId("view-notice").hidden = true;
  for (const view of VIEWS) {
    byId(`${view}-view`).hidden = view !== name;
    const tab = byId(`tab-${view}`);
    if (view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (name !== "search") document.title = `${byId(`tab-${name}`).textContent.trim()} - Sightline`;
}

function lost(error, router) {
  const action = { label: "Try again", run: () => router.refresh() };
  return { title: "This view could not be loaded", text: error.message, action };
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
      currentView().focusPictures();
    }
    if (event.key === "Escape") event.target.blur();
  });
}

start();
