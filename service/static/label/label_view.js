/** The label view: pictures and words in, the word that fits each picture out. */

import { byId, showNotice } from "../dom.js";
import { pickImages } from "../image_input.js";
import { filesOfDialog, filesOfDrop, sortFiles } from "../add/dropped_files.js";
import { CardList } from "./card_list.js";
import { offerSamples } from "./gallery_samples.js";
import { getTemplateSets } from "./label_api.js";
import { LabelField } from "./label_field.js";
import { LabelSetField } from "./label_set_field.js";
import { LabelSetForm } from "./label_set_form.js";
import { LabelSettings } from "./label_settings.js";
import { unstarted } from "./label_notices.js";
import { Labeller } from "./labeller.js";
import { loadChoice, saveChoice } from "./label_store.js";
import { Picture } from "./picture.js";
import { TeachPanel } from "./teach_panel.js";
import { watchTabs } from "./tabs.js";
import { TemplatePanel } from "./template_panel.js";

const MOST_SCORES = 50;

/** Labels, settings and pictures; any change asks the service again. */
export class View {
  /**
   * Read what was chosen last time and listen.
   *
   * @param {import("../route.js").Router} router
   */
  constructor(router) {
    this.router = router;
    this.panel = "label-pictures";
    const choice = loadChoice();
    this.field = new LabelField(choice.labels, () => this.#changed());
    this.settings = new LabelSettings(choice, {
      onChange: () => this.#changed(),
      onLeastScore: () => this.#leastScoreChanged(),
    });
    this.sets = new LabelSetField({
      onChoose: (set) => router.go({ view: "label", set }),
      onUse: () => this.#changed(),
    });
    this.cards = new CardList({
      labels: () => this.labels,
      look: () => this.#look(),
      onChange: () => this.#known(),
    });
    this.labeller = new Labeller(this);
    this.form = new LabelSetForm((saved) => this.#saved(saved));
    this.templatePanel = new TemplatePanel(this);
    this.teachPanel = new TeachPanel(this);
    // On a phone the pictures come first.
    byId("label-scoring").open = !window.matchMedia("(max-width: 900px)").matches;
    this.#listen();
  }

  /** @returns {string} what dropping pictures here does; nothing where each label takes its own */
  get dropText() {
    return this.panel === "label-teach" && this.sets.current ? "" : "Drop to label";
  }

  /** @returns {string[]} the labels in use */
  get labels() {
    return this.sets.current?.content.labels ?? this.field.labels;
  }

  /** @returns {Picture[]} all pictures, those of the user first */
  get pictures() {
    return this.cards.pictures;
  }

  /**
   * @returns {import("./label_api.js").Question} what to ask of the pictures
   */
  get question() {
    const { current } = this.sets;
    const alpha = Number(this.sets.alpha.value) || null;
    const hasSets = !byId("label-alpha-field").hidden;
    return {
      labels: current ? null : this.field.labels,
      labelSet: current?.reference ?? null,
      templateSet: this.settings.templateSet,
      mode: this.settings.mode,
      topK: Math.min(MOST_SCORES, this.labels.length),
      alpha: hasSets ? alpha : null,
      useHead: this.sets.usesHead,
      abstain: this.sets.usesRules ? null : {},
      temperature: null,
    };
  }

  /**
   * Show the view; the first time it labels a few pictures of the gallery as an example.
   *
   * @param {{set: string|null}} route
   */
  async show({ set }) {
    this.wanted = set;
    try {
      this.starting ??= this.#start();
      await this.starting;
    } catch (error) {
      this.starting = null;
      showNotice(byId("label-notice"), unstarted(error, () => this.show({ set })));
      return;
    }
    // The user may have gone on meanwhile.
    if (this.wanted === set) await this.#useSet(set);
  }

  /**
   * Label pictures of the user; they take the place of the examples.
   *
   * @param {File[]} files
   * @param {DataTransfer} [transfer] of a drop; folders are only found in it
   */
  async takeImages(files, transfer) {
    const found = transfer ? await filesOfDrop(transfer) : filesOfDialog(files);
    const pictures = sortFiles(found).pictures.map(({ file, path }) => new Picture({ file, path }));
    this.#add(pictures);
    // On a phone the answers are below the controls.
    if (this.panel === "label-pictures") this.cards.list.scrollIntoView({ block: "nearest" });
  }

  /**
   * Add pictures whose label is known.
   *
   * @param {Picture[]} pictures
   */
  addKnown(pictures) {
    this.#add(pictures);
  }

  /** What a set learned has changed: tell it and label again. */
  async learned() {
    await this.sets.refresh();
    this.#changed();
  }

  #listen() {
    pickImages(byId("label-drop"), byId("label-file"), (files) => this.takeImages(files));
    byId("label-clear").addEventListener("click", () => this.#clear());
    byId("label-set-new").addEventListener("click", () => this.openForm());
    watchTabs(document.querySelector(".label-tabs"), (panel) => {
      this.panel = panel;
      this.showPanel();
    });
  }

  /** Open the form that saves the labels in use as a label set. */
  openForm() {
    const { current } = this.sets;
    this.form.open({
      content: current?.content ?? null,
      labels: this.field.labels,
      templateSet: this.settings.templateSet,
      templateSets: this.settings.sets,
    });
  }

  async #start() {
    const [templates, samples] = await Promise.all([
      getTemplateSets(),
      offerSamples((picture) => {
        this.cards.add([picture]);
        this.labeller.ask();
      }),
      this.sets.load(),
    ]);
    this.settings.offer(templates);
    if (!this.pictures.length) this.cards.add(samples);
    // After the cards, which would push them down.
    byId("label-samples").hidden = !samples.length;
  }

  async #useSet(reference) {
    showNotice(byId("label-notice"), null);
    const before = this.sets.current;
    try {
      await this.sets.show(reference);
    } catch (error) {
      byId("label-set-error").textContent = error.message;
      byId("label-set-error").hidden = false;
      return;
    }
    byId("label-set-error").hidden = true;
    if (this.sets.current !== before || !this.isLabelled) {
      // What taught another set has taught this one nothing.
      for (const picture of this.pictures) picture.use = null;
      this.settings.useTemplatesOf(this.sets.current?.content ?? null);
      this.isLabelled = true;
      this.labeller.ask();
    }
  }

  async #saved(saved) {
    await this.sets.load();
    // The same name again may be a newer version of what is shown.
    this.sets.forget();
    this.router.go({ view: "label", set: saved.name });
  }

  #add(pictures) {
    this.cards.removeExamples();
    this.cards.add(pictures);
    this.labeller.ask();
  }

  #clear() {
    this.cards.clear();
    this.labeller.ask();
  }

  /** Draw the panel beside the pictures again, because what it shows has changed. */
  showPanel() {
    if (this.panel === "label-templates") this.templatePanel.show();
    if (this.panel === "label-teach") this.teachPanel.show();
  }

  #look() {
    const calibration = this.sets.calibration(this.settings.mode);
    return { leastScore: this.settings.leastScore, calibration };
  }

  #leastScoreChanged() {
    this.#remember();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.cards.redraw();
      this.labeller.summarise();
    });
  }

  #known() {
    this.labeller.summarise();
    this.showPanel();
  }

  #remember() {
    const { own: templateSet, mode, leastScore } = this.settings;
    saveChoice({ labels: this.field.labels, templateSet, mode, leastScore });
  }

  #changed() {
    this.#remember();
    this.labeller.askSoon();
  }
}
