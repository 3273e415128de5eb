/** The view health. */

/** Begun; its helper fills it. */
export class View {
  /** @param {import("../route.js").Router} router */
  constructor(router) {
    this.router = router;
  }

  /** @returns {string} what dropping pictures here does */
  get dropText() {
    return "";
  }

  /** Show the view. */
  show() {}

  /** @param {File[]} files */
  takeImages(files) {}
}
