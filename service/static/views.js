/**
 * The views beside the search: each is a folder with a fragment of HTML, a style sheet and a
 * module, fetched together when the view is first shown, so the search does not wait for them.
 */

import { byId, element } from "./dom.js";

/**
 * What a module of a view exports as `View`.
 *
 * @typedef {{show: (route: object, state: object) => void, hide?: () => void,
 *   dropText: string, takeImages: (files: File[], transfer?: DataTransfer) => void,
 *   focusBox?: () => void}} View
 */

/** Fetches views and remembers them. */
export class Views {
  /**
   * @param {Object<string, View>} ready views that are part of the page from the beginning
   * @param {import("./route.js").Router} router given to each view that is made
   */
  constructor(ready, router) {
    this.router = router;
    this.views = new Map(Object.entries(ready));
    this.loads = new Map();
  }

  /**
   * Return a view if it is there.
   *
   * @param {string} name
   * @returns {View|undefined}
   */
  get(name) {
    return this.views.get(name);
  }

  /**
   * Fetch a view, once; a fetch that failed is tried again by the next call.
   *
   * @param {string} name
   * @returns {Promise<View>}
   */
  load(name) {
    if (this.views.has(name)) return Promise.resolve(this.views.get(name));
    if (!this.loads.has(name)) {
      const load = this.#make(name).finally(() => this.loads.delete(name));
      this.loads.set(name, load);
    }
    return this.loads.get(name);
  }

  async #make(name) {
    const folder = `/static/${name}`;
    const [module, fragment] = await Promise.all([
      import(`${folder}/${name}_view.js`),
      fetchFragment(`${folder}/${name}.html`),
      addStyle(`${folder}/${name}.css`),
    ]);
    byId(`${name}-view`).replaceChildren(...fragment);
    const view = new module.View(this.router);
    this.views.set(name, view);
    return view;
  }
}

async function fetchFragment(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: the service answered ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  // A fragment may begin with more style sheets; the parser takes them for those of a whole page.
  const styles = page.head.querySelectorAll("link[rel=stylesheet]");
  await Promise.all([...styles].map((link) => addStyle(link.getAttribute("href"))));
  return page.body.childNodes;
}

function addStyle(address) {
  if (document.querySelector(`link[href="${address}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onerror = () => {
      link.remove();
      reject(new Error(`${address} cannot be loaded`));
    };
    const link = element("link", { rel: "stylesheet", href: address, onload: resolve, onerror });
    document.head.append(link);
  });
}
