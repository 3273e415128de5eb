/** The line that says how far a run is, with a button that stops it. */

/** Shows progress only while a run lasts. */
export class RunProgress {
  /** @param {HTMLElement} area with a progress bar, a text and a button */
  constructor(area) {
    this.area = area;
    this.bar = area.querySelector("progress");
    this.text = area.querySelector("span");
    area.querySelector("button").addEventListener("click", () => this.controller?.abort());
  }

  /**
   * Begin a run; one that is under way is stopped.
   *
   * @param {{isShown?: boolean}} [options] a short run needs no line
   * @returns {AbortSignal} aborted when the run is stopped or another one begins
   */
  begin({ isShown = true } = {}) {
    this.controller?.abort();
    this.controller = new AbortController();
    this.area.hidden = !isShown;
    this.bar.removeAttribute("value");
    this.text.textContent = "";
    return this.controller.signal;
  }

  /**
   * Say how far the run is.
   *
   * @param {number} done
   * @param {number} all
   * @param {string} [what] is counted
   */
  tell(done, all, what = "") {
    this.bar.max = all;
    this.bar.value = done;
    this.text.textContent = `${done} of ${all}${what ? ` ${what}` : ""}`;
  }

  /**
   * End a run, unless another one has begun meanwhile.
   *
   * @param {AbortSignal} signal of the run
   */
  end(signal) {
    if (this.controller?.signal === signal) this.area.hidden = true;
  }
}
