/** Lists of pictures that were shown before: going back to one asks the service nothing. */

const MOST_LISTS = 10;

/** The last lists, as long as the page is open. */
export class KeptLists {
  constructor() {
    this.lists = new Map();
  }

  /**
   * Keep a list; the one that was kept longest makes room.
   *
   * @param {string} key what was asked
   * @param {object} list
   */
  keep(key, list) {
    this.lists.delete(key);
    this.lists.set(key, list);
    if (this.lists.size > MOST_LISTS) this.lists.delete(this.lists.keys().next().value);
  }

  /**
   * Take a list out.
   *
   * @param {string} key
   * @returns {object|null} `null` where it is not kept
   */
  take(key) {
    const list = this.lists.get(key) ?? null;
    this.lists.delete(key);
    return list;
  }
}
