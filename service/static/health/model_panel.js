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
      ["Runtime", runtime(model)],
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

function runtime({ runtime: name, precision, threads }) {
  const parts = [name === "auto" ? "chosen by itself" : name];
  parts.push(precision === "auto" ? "precision as tuned" : precision);
  if (threads) parts.push(count(threads, "thread"));
  return parts.join(", ");
}
