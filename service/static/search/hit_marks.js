/** Right or wrong: what the user says of the hits of the query that is shown. */

import { isSuperseded } from "../api.js";
import { byId, element, icon } from "../dom.js";
import { getMarks, getQueryQuality, putMark } from "./marks_api.js";
import { captionOf } from "./tile.js";

const K = 10;
const PAUSE_MS = 250;
const RIGHT = 1;
const WRONG = 0;
const KEYS = new Map([["r", RIGHT], ["w", WRONG]]);
const WORDS = { [RIGHT]: "Right", [WRONG]: "Wrong" };
const OWN_PICTURE = "A picture of yours is part of no judged query: nobody could ask it again. Search with words to judge.";
const NO_QUERY = "Search for something, then mark its hits.";
const BEGIN = "Mark hits right (R) or wrong (W); press again to take a mark back.";

/** The marks of one query; tiles and details get their controls from here. */
export class HitMarks {
  /** @param {(isOn: boolean) => void} onSwitch the user turned judging on or off */
  constructor(onSwitch) {
    this.isOn = false;
    this.shown = { query: "", image: null };
    this.grades = new Map();
    this.changes = new Map();
    this.sent = Promise.resolve();
    this.undo = [];
    this.switch = byId("judge-switch");
    this.line = byId("judging");
    this.text = byId("judging-text");
    this.switch.addEventListener("change", () => onSwitch(this.switch.checked));
    byId("judging-undo").addEventListener("click", () => this.#undo());
  }

  /**
   * Turn the controls on or off, as the address says.
   *
   * @param {boolean} isOn
   */
  judge(isOn) {
    this.switch.checked = isOn;
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.line.hidden = !isOn;
    this.#begin();
  }

  /**
   * Begin with another query; controls that were given out before are forgotten.
   *
   * @param {{query: string, image: File|null, mode: string, filter: object|string|null}} shown
   */
  start(shown) {
    this.shown = shown;
    this.#begin();
  }

  /**
   * Create the controls of a hit; they follow every later change of its mark by themselves.
   *
   * @param {object} hit as the service gave it
   * @returns {HTMLElement|null} `null` where nothing can be marked: no query, or a gallery's item
   */
  controls(hit) {
    if (!this.#canJudge()) return null;
    const marks = element("span", { class: "marks", role: "group", "aria-label": "Right or wrong" });
    marks.dataset.marks = hit.id;
    marks.dataset.caption = captionOf(hit);
    if (this.isOn) this.#fill(marks);
    return marks;
  }

  /**
   * Take a key that was pressed on a hit.
   *
   * @param {string} key as in KeyboardEvent.key
   * @param {object} hit
   * @returns {boolean} whether the key was one of these
   */
  takeKey(key, hit) {
    const grade = KEYS.get(key.toLowerCase());
    if (grade === undefined || !this.isOn || !this.#canJudge() || !hit) return false;
    this.#toggle(hit.id, grade);
    return true;
  }

  #canJudge() {
    return Boolean(this.shown.query.trim()) && !this.shown.image;
  }

  #begin() {
    this.loading?.abort();
    this.measuring?.abort();
    clearTimeout(this.timer);
    this.grades = new Map();
    this.changes = new Map();
    this.undo = [];
    this.#showAll();
    if (!this.isOn) return;
    if (this.#canJudge()) this.#load();
    else this.#say(this.shown.image ? OWN_PICTURE : NO_QUERY);
  }

  async #load() {
    this.loading = new AbortController();
    const { signal } = this.loading;
    this.#say(BEGIN);
    try {
      const stored = await getMarks(this.shown, { signal });
      // Marks that were made meanwhile are newer than what was read.
      for (const [id, grade] of this.changes) setGrade(stored, id, grade);
      this.grades = stored;
      this.#showAll();
      if (this.grades.size) this.#measureNow();
    } catch (error) {
      if (!isSuperseded(error) && !signal.aborted) this.#say(error.message, true);
    }
  }

  #toggle(id, grade) {
    const before = this.grades.get(id) ?? null;
    this.undo.push({ id, grade: before });
    this.#mark(id, before === grade ? null : grade);
  }

  #undo() {
    const last = this.undo.pop();
    if (last) this.#mark(last.id, last.grade);
    if (!this.undo.length) byId("judge-switch").focus();
  }

  async #mark(id, grade) {
    const { shown } = this;
    const before = this.grades.get(id) ?? null;
    this.#set(id, grade);
    // One after the other: the last mark of a picture is the one that stays.
    const sending = this.sent.then(() => putMark(shown, id, grade));
    this.sent = sending.catch(() => {});
    try {
      await sending;
      if (shown === this.shown) this.#measureSoon();
    } catch (error) {
      if (shown !== this.shown) return;
      this.#set(id, before);
      this.#say(error.message, true);
    }
  }

  #set(id, grade) {
    setGrade(this.grades, id, grade);
    this.changes.set(id, grade);
    byId("judging-undo").hidden = !this.undo.length;
    for (const marks of document.querySelectorAll(`[data-marks="${CSS.escape(id)}"]`)) {
      this.#showGrade(marks);
    }
  }

  /** Marks made in a row are measured once. */
  #measureSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#measureNow(), PAUSE_MS);
  }

  #measureNow() {
    this.measuring?.abort();
    this.measuring = new AbortController();
    this.#measure(this.measuring.signal).catch((error) => {
      if (!isSuperseded(error)) this.#say(error.message, true);
    });
  }

  async #measure(signal) {
    if (!this.grades.size) {
      this.#say(BEGIN);
      return;
    }
    const { right, wrong, values, error } = await getQueryQuality(this.shown, K, { signal });
    const parts = [`${right} right, ${wrong} wrong`];
    const value = (name) => values[`${name}@${K}`];
    const has = (name) => typeof value(name) === "number";
    if (has("precision")) parts.push(`P@${K} ${value("precision").toFixed(2)}`);
    if (has("judged_precision")) parts.push(`${value("judged_precision").toFixed(2)} of the judged`);
    if (has("recall")) parts.push(`R@${K} ${value("recall").toFixed(2)}`);
    if (has("judged")) parts.push(`${Math.round(value("judged") * 100)} % of the first ${K} judged`);
    this.#say(error ?? parts.join(" \u00b7 "));
  }

  #say(text, isProblem = false) {
    this.text.textContent = text;
    this.line.classList.toggle("is-problem", isProblem);
  }

  #showAll() {
    byId("judging-undo").hidden = !this.undo.length;
    for (const marks of document.querySelectorAll("[data-marks]")) {
      if (this.isOn && this.#canJudge()) this.#fill(marks);
      else marks.replaceChildren();
      this.#showGrade(marks);
    }
  }

  #fill(marks) {
    if (!marks.childElementCount) {
      const right = this.#button(marks, RIGHT, icon("check"));
      marks.append(right, this.#button(marks, WRONG, icon("close")));
    }
    this.#showGrade(marks);
  }

  #button(marks, grade, picture) {
    const { marks: id, caption } = marks.dataset;
    const word = WORDS[grade];
    const isReachable = !marks.closest(".tile") || marks.closest(".tile.is-current") !== null;
    const button = element(
      "button",
      {
        type: "button",
        class: `mark mark-${word.toLowerCase()}`,
        title: `${word} (${word[0]})`,
        "aria-label": `${word}: ${caption}`,
        tabIndex: isReachable ? 0 : -1,
        onclick: () => this.#toggle(id, grade),
      },
      picture,
      element("span", { "aria-hidden": "true" }, word),
    );
    button.dataset.grade = String(grade);
    return button;
  }

  #showGrade(marks) {
    const grade = this.isOn ? this.grades.get(marks.dataset.marks) : undefined;
    if (grade === undefined) delete marks.dataset.grade;
    else marks.dataset.grade = String(grade);
    for (const button of marks.children) {
      button.setAttribute("aria-pressed", String(button.dataset.grade === String(grade)));
    }
  }
}

function setGrade(grades, id, grade) {
  if (grade === null) grades.delete(id);
  else grades.set(id, grade);
}
