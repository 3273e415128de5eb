/** Right or wrong: what the user says of the hits of the query that is shown. */

/** The marks of one query; tiles and details get their controls from here. */
export class HitMarks {
  /**
   * Begin with another query; controls that were given out before are forgotten.
   *
   * @param {{query: string, image: File|null, mode: string, filter: object|string|null}} _shown
   */
  start(_shown) {}

  /**
   * Create the controls of a hit; they follow every later change of its mark by themselves.
   *
   * @param {object} _hit as the service gave it
   * @returns {HTMLElement|null} `null` where nothing can be marked: no query, or a gallery's item
   */
  controls(_hit) {
    return null;
  }

  /**
   * Take a key that was pressed on a hit.
   *
   * @param {string} _key as in KeyboardEvent.key
   * @param {object} _hit
   * @returns {boolean} whether the key was one of these
   */
  takeKey(_key, _hit) {
    return false;
  }
}
