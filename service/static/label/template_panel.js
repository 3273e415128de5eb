/** The template chooser: the sentences of a set, and what each set does to the pictures. */

import { isSuperseded } from "../api.js";
import { byId, element, showNotice } from "../dom.js";
import { pictures } from "../status.js";
import { RunProgress } from "./run_progress.js";
import {
  MOST_COMPARED,
  changesBetween,
  compareSets,
  comparedPictures,
  effectOf,
  rightOf,
} from "./template_effects.js";
import { percent } from "./verdict.js";

const SENTENCES_AT_FIRST = 7;

/** Shows the sets; comparing costs a question for each, so it happens on demand. */
export class TemplatePanel {
  /** @param {import("./label_view.js").View} view */
  constructor(view) {
    this.view = view;
    this.effects = new Map();
    this.asked = "";
    this.rows = byId("template-rows");
    this.table = this.rows.closest("table");
    this.progress = new RunProgress(byId("template-progress"));
    byId("template-compare").addEventListener("click", () => this.#compare());
  }

  /** Draw the panel for the labels, templates and pictures in use. */
  show() {
    const { view } = this;
    const compared = comparedPictures(view.pictures);
    const asked = JSON.stringify([view.labels, view.sets.current?.reference, view.settings.mode]);
    const isSame = asked === this.asked && compared.every((one) => this.compared?.includes(one));
    if (!isSame) this.#forget();
    this.asked = asked;
    const count = compared.length;
    const most = view.pictures.length > MOST_COMPARED ? `, of ${view.pictures.length}` : "";
    byId("template-compare").disabled = !count || view.labels.length < 2;
    byId("template-compare-hint").textContent = count
      ? `${pictures(count)}${most}; labels from the words alone, without examples and calibration`
      : "Drop pictures first.";
    this.#drawPreview();
    this.#drawRows();
  }

  #forget() {
    this.progress.end(this.progress.begin({ isShown: false }));
    this.effects.clear();
    this.compared = null;
    showNotice(byId("template-notice"), null);
  }

  /** @returns {{name: string|null, number: number, description: string}[]} what can be chosen */
  #sets() {
    const { settings } = this.view;
    const { setTemplates } = settings;
    if (!setTemplates) return settings.sets;
    const own = {
      name: null,
      number: setTemplates.templates.length,
      description: "saved with the label set",
    };
    return [own, ...settings.sets];
  }

  async #compare() {
    const { view } = this;
    this.#forget();
    const compared = comparedPictures(view.pictures);
    this.compared = compared;
    const { question } = view;
    const sets = this.#sets();
    const signal = this.progress.begin();
    const button = byId("template-compare");
    button.disabled = true;
    const ask = ({ name }) => effectOf(compared, { ...question, templateSet: name }, signal);
    try {
      await compareSets(sets, ask, (set, effect, error) => {
        this.effects.set(set.name, { effect, error });
        this.progress.tell(this.effects.size, sets.length, "template sets");
        this.#drawRows();
      });
      byId("template-said").textContent = `${sets.length} template sets compared`;
    } catch (error) {
      if (!isSuperseded(error)) {
        showNotice(byId("template-notice"), { title: "Comparing stopped", text: error.message });
      }
    } finally {
      this.progress.end(signal);
      button.disabled = false;
    }
  }

  #drawPreview() {
    const { view } = this;
    const [label] = view.labels;
    const { chosenTemplates } = view.settings;
    if (!label || !chosenTemplates.length) {
      byId("template-preview").replaceChildren();
      return;
    }
    const prompts = view.sets.current?.content.details[label]?.prompts ?? [];
    const templates = prompts.length ? prompts : chosenTemplates;
    const sentence = (template) => element("li", { dir: "auto" }, ...filled(template, label));
    const rest = templates.slice(SENTENCES_AT_FIRST).map(sentence);
    const more = element("details", {}, element("summary", {}, `${rest.length} more`), list(rest));
    byId("template-preview").replaceChildren(
      element("h3", {}, `What the model reads for "${label}"`),
      list(templates.slice(0, SENTENCES_AT_FIRST).map(sentence)),
      ...(rest.length ? [more] : []),
    );
  }

  #drawRows() {
    const chosen = this.view.settings.templateSet;
    const base = this.effects.get(chosen)?.effect ?? null;
    const open = new Set([...this.rows.querySelectorAll("details[open]")].map(({ id }) => id));
    this.table.classList.toggle("has-effects", this.effects.size > 0);
    this.table.classList.toggle("has-truth", Boolean(base && rightOf(base, this.view.labels).known));
    const rows = this.#sets().map((set) => this.#row(set, { isChosen: set.name === chosen, base, open }));
    this.rows.replaceChildren(...rows);
  }

  #row({ name, description, number }, { isChosen, base, open }) {
    const { effect = null, error = null } = this.effects.get(name) ?? {};
    const title = name ?? "of the set";
    const use = element(
      "button",
      {
        class: "quiet small",
        type: "button",
        "aria-label": isChosen ? `${title}: in use` : `Use ${title}`,
        disabled: isChosen,
        onclick: () => this.view.settings.choose(name ?? ""),
      },
      isChosen ? "in use" : "Use",
    );
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, title),
      element("td", {}, description),
      element("td", { class: "number" }, String(number)),
      element("td", { class: "number effect-column" }, effect ? percent(effect.meanScore) : ""),
      element("td", { class: "effect-column" }, otherWinners({ name, effect, error, base, open })),
      element("td", { class: "number effect-column truth-column" }, shareRight(effect, this.view.labels)),
      element("td", {}, use),
    );
    row.classList.toggle("is-chosen", isChosen);
    return row;
  }
}

function otherWinners({ name, effect, error, base, open }) {
  if (error) return element("span", { class: "field-error" }, error.message);
  if (!effect || !base || effect === base) return "";
  const changes = changesBetween(base, effect);
  if (!changes.length) return "none";
  const lines = changes.map(({ picture, before, after }) =>
    element(
      "li",
      { dir: "auto" },
      `${picture.name}: ${before.label} ${percent(before.score)} \u2192 `,
      element("b", {}, `${after.label} ${percent(after.score)}`),
    ),
  );
  const id = `winners-${name ?? "own"}`;
  const summary = element("summary", {}, `${changes.length} of ${effect.winners.size}`);
  const details = element("details", { id }, summary, list(lines));
  details.open = open.has(id);
  return details;
}

function shareRight(effect, labels) {
  if (!effect) return "";
  const { right, known } = rightOf(effect, labels);
  return known ? `${right}\u00a0of\u00a0${known}` : "";
}

function filled(template, label) {
  const [before, after = ""] = template.split("{}");
  return template.includes("{}") ? [before, element("b", {}, label), after] : [template];
}

function list(items) {
  return element("ul", {}, ...items);
}
