/** The pictures that were searched with: the history of the page can only hold their keys. */

/** Pictures by key, as long as the page is open. */
export class QueryImages {
  constructor() {
    this.kept = new Map();
  }

  /**
   * Keep a picture.
   *
   * @param {File} image
   * @returns {number} its key; a picture that is kept already keeps its own
   */
  keep(image) {
    for (const [key, kept] of this.kept) if (kept === image) return key;
    // A key from the clock cannot meet one that an earlier load of the page left in the history.
    const key = Date.now();
    this.kept.set(key, image);
    return key;
  }

  /**
   * Return a picture.
   *
   * @param {number|undefined} key
   * @returns {File|null} `null` where it was kept by an earlier load of the page
   */
  get(key) {
    return this.kept.get(key) ?? null;
  }
}
