/** The model: what runs, how it runs, and the card that its maker wrote. */

import { byId } from "../dom.js";
import { fillFacts } from "./fills.js";
import { count } from "./formats.js";
import { markdown } from "./markdown.js";

/** The card of the model; its text is read once. */
export class ModelPanel {
  constructor() {
    this.text = null;
  }

  /** @param {object} health */
  show({ model, version }) {
    fillFacts(byId("health-model"), [
      ["Name", model.name],
      ["Encoder id", model.encoder_id],
      ["Embeddings", count(model.dimension, "dimension")],
      ["Pictures", `${model.image_size} \u00d7 ${model.image_size} pixels`],
      ["Texts", `the first ${count(model.context_length, "token")}`],
      ["Runtime", model.runtime ?? "not told"],
      ["Precision", precision(model)],
      ["Confidence", model.calibrated ? "calibrated" : "not calibrated"],
      ["Sightline", version],
    ]);
    const { card } = model;
    byId("health-card-text").hidden = !card;
    if (!card || card === this.text) return;
    this.text = card;
    byId("health-card-body").replaceChildren(...markdown(card));
  }
}

function precision({ image_precision: images, text_precision: texts, tuned }) {
  if (!images) return "not told";
  const used = images === texts ? images : `${images}, texts ${texts}`;
  return tuned ? `${used}, as tuned` : used;
}
