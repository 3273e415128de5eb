/** Which labels: words of one's own, or a saved label set with what it learned. */

import { byId, element } from "../dom.js";
import { getFits, getLabelSet, getLabelSets } from "./label_api.js";

const SHOWN_LABELS = 14;

/**
 * A saved label set as the page knows it.
 *
 * @typedef {{reference: string, content: object, fits: object}} SavedSet `reference` is what the
 *   address holds: `name` or `name@version`
 */

/** The choice between own words and the saved sets. */
export class LabelSetField {
  /**
   * @param {{onChoose: (reference: string|null) => void, onUse: () => void}} options `onChoose`:
   *   another set is wanted; `onUse`: the same set is to be used in another way
   */
  constructor({ onChoose, onUse }) {
    this.select = byId("label-set");
    this.version = byId("label-version");
    this.head = byId("label-use-head");
    this.rules = byId("label-use-rules");
    this.alpha = byId("label-alpha");
    /** @type {SavedSet|null} */
    this.current = null;
    this.select.addEventListener("change", () => onChoose(this.select.value || null));
    this.version.addEventListener("change", () => {
      onChoose(`${this.current.content.name}@${this.version.value}`);
    });
    for (const field of [this.head, this.rules, this.alpha]) field.addEventListener("change", onUse);
  }

  /** Ask which sets there are. */
  async load() {
    const { label_sets: sets } = await getLabelSets();
    const options = sets.map(({ name, labels }) =>
      element("option", { value: name }, `${name} (${labels.length.toLocaleString("en")} labels)`),
    );
    this.select.replaceChildren(this.select.options[0], ...options);
    this.#select();
  }

  /**
   * Show a set, or own words.
   *
   * @param {string|null} reference
   * @returns {Promise<SavedSet|null>}
   */
  async show(reference) {
    const isSame = this.current?.reference === reference;
    if (!reference) this.current = null;
    else if (!isSame) this.current = await fetchSet(reference);
    if (!isSame) this.alpha.value = "";
    this.#draw();
    return this.current;
  }

  /** Let the set be asked for again when it is shown next. */
  forget() {
    if (this.current) this.current.reference = "";
  }

  /** Ask again what the set learned. */
  async refresh() {
    const set = this.current;
    if (!set) return;
    set.fits = await getFits(set.reference);
    if (this.current === set) this.#draw();
  }

  /**
   * @param {"single"|"multi"} mode
   * @returns {object|null} the calibration that is used
   */
  calibration(mode) {
    const found = this.current?.fits.calibrations[mode] ?? null;
    if (!found) return null;
    const { head } = this.current.fits;
    // A calibration belongs to the head that it was fitted with.
    return found.in_force && (this.usesHead || !head) ? found : null;
  }

  /** @returns {boolean} whether what was learned from examples is used */
  get usesHead() {
    return this.head.querySelector("input").checked;
  }

  /** @returns {boolean} whether the fitted rules may say that no label is given */
  get usesRules() {
    return this.rules.querySelector("input").checked;
  }

  /**
   * Show which ways of use there are.
   *
   * @param {"single"|"multi"} mode
   * @param {boolean} hasOwnTemplates whether the set's own templates are in use
   */
  showUses(mode, hasOwnTemplates) {
    const calibration = hasOwnTemplates ? this.calibration(mode) : null;
    const { head } = this.current?.fits ?? {};
    this.head.hidden = !head || head.kind === "text" || !hasOwnTemplates;
    this.rules.hidden = !calibration || !hasRules(calibration);
    byId("label-alpha-field").hidden = !calibration?.conformal_images;
  }

  #select() {
    const name = this.current?.content.name ?? "";
    this.select.value = name;
  }

  #draw() {
    const isOwn = !this.current;
    byId("label-own").hidden = !isOwn;
    byId("label-saved").hidden = isOwn;
    byId("label-set-new").textContent = isOwn ? "Save as a label set" : "Change it";
    this.#select();
    if (isOwn) return;
    const { content, fits } = this.current;
    byId("label-saved-list").replaceChildren(...labelChips(content));
    byId("label-facts").replaceChildren(...facts(content, fits).map((text) => element("li", {}, text)));
    const versions = fits.versions.toReversed();
    const newest = versions[0];
    const options = versions.map((version) => {
      const text = version === newest ? `${version}, the newest` : String(version);
      return element("option", { value: String(version) }, text);
    });
    this.version.replaceChildren(...options);
    this.version.value = String(content.version);
    byId("label-version-field").hidden = versions.length < 2;
  }
}

async function fetchSet(reference) {
  const [content, fits] = await Promise.all([getLabelSet(reference), getFits(reference)]);
  return { reference, content, fits };
}

function hasRules({ rules, label_scores: scores }) {
  return rules.length > 0 || Object.keys(scores).length > 0;
}

function labelChips({ labels, details }) {
  const chips = labels.slice(0, SHOWN_LABELS).map((label) => {
    const isBackground = details[label]?.background ?? false;
    const title = isBackground ? "background: where it wins, no label is given" : null;
    const chip = element("li", { dir: "auto", title }, label);
    chip.classList.toggle("is-background", isBackground);
    return chip;
  });
  const rest = labels.length - SHOWN_LABELS;
  if (rest > 0) chips.push(element("li", { class: "saved-more" }, `${rest.toLocaleString("en")} more`));
  return chips;
}

function facts({ template_set: templates }, { head, calibrations, warnings }) {
  const { single, multi } = calibrations;
  const isLearned = head && head.kind !== "text";
  return [
    `templates ${templates}`,
    head ? `${isLearned ? "taught by" : "has"} ${head.examples} examples` : null,
    calibrated("calibrated", single),
    calibrated("calibrated for any", multi),
    single?.in_force && single.rules.length ? "knows when nothing fits" : null,
    ...warnings,
  ].filter(Boolean);
}

function calibrated(text, calibration) {
  if (!calibration) return null;
  const images = calibration.images + calibration.unknown_images;
  return calibration.in_force ? `${text} on ${images} pictures` : `${text} before it was taught: again?`;
}
