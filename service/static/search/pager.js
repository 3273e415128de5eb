/** Endless scroll: asks for the next page when the end comes near, by button where it cannot. */

import { isSuperseded } from "../api.js";

const AHEAD = "900px";

/** Loads page after page by cursor; what goes wrong is said where the next page would be. */
export class Pager {
  /**
   * @param {{area: HTMLElement, button: HTMLButtonElement, message: HTMLElement}} parts the area
   *   is at the end of the list and holds the other two
   */
  constructor({ area, button, message }) {
    this.area = area;
    this.button = button;
    this.message = message;
    this.load = null;
    this.isBusy = false;
    button.addEventListener("click", () => this.next());
    this.observer = new IntersectionObserver((entries) => this.#onSight(entries), {
      rootMargin: `0px 0px ${AHEAD} 0px`,
    });
    this.observer.observe(area);
  }

  /** Stop: there is no list, or a new one is on its way. */
  stop() {
    this.start(null, null);
  }

  /**
   * Go on from a cursor.
   *
   * @param {string|null} cursor `null` on the last page
   * @param {((cursor: string) => Promise<string|null>)|null} load shows a page, returns the next
   *   cursor
   */
  start(cursor, load) {
    this.cursor = cursor;
    this.load = load;
    this.isBusy = false;
    this.#update();
  }

  #onSight(entries) {
    if (entries.some((entry) => entry.isIntersecting)) this.next();
  }

  /** Load the next page, where there is one and none is on its way. */
  async next() {
    if (!this.load || !this.cursor || this.isBusy) return;
    const { load } = this;
    this.isBusy = true;
    this.#update();
    try {
      const cursor = await load(this.cursor);
      if (load !== this.load) return;
      this.start(cursor, load);
      this.#lookAgain();
    } catch (error) {
      if (isSuperseded(error) || load !== this.load) return;
      this.isBusy = false;
      this.#update(error.message);
    }
  }

  /** The observer reports changes only; a short page can leave the end in sight. */
  #lookAgain() {
    this.observer.unobserve(this.area);
    this.observer.observe(this.area);
  }

  #update(problem = "") {
    this.area.hidden = !this.cursor;
    this.message.textContent = problem;
    this.button.disabled = this.isBusy;
    this.button.textContent = this.isBusy ? "Loading" : "More pictures";
  }
}
