/** Pictures of the gallery to try labels on; they are named by their ids and never sent. */

import { listItems } from "../api.js";
import { byId, element } from "../dom.js";
import { thumbnailAddress } from "../picture_address.js";
import { captionOf } from "../search/tile.js";
import { Picture } from "./picture.js";

const SAMPLES = 12;
const SHOWN_AT_FIRST = 3;
const SIDE_PX = 76;

/**
 * Offer pictures of the gallery.
 *
 * @param {(picture: Picture) => void} onPick
 * @returns {Promise<Picture[]>} a few to begin with; none where the gallery is empty
 */
export async function offerSamples(onPick) {
  const { items } = await listItems({ limit: SAMPLES, cursor: null }).catch(() => ({ items: [] }));
  if (!items.length) return [];
  byId("label-sample-list").replaceChildren(...items.map((item) => sampleButton(item, onPick)));
  byId("label-samples").hidden = false;
  return items.slice(0, SHOWN_AT_FIRST).map((item) => new Picture({ item, isExample: true }));
}

function sampleButton(item, onPick) {
  const caption = captionOf(item);
  const onclick = () => onPick(new Picture({ item, isExample: true }));
  const picture = element("img", { src: thumbnailAddress(item, SIDE_PX), alt: "", loading: "lazy" });
  const properties = { type: "button", "aria-label": `Label: ${caption}`, title: caption, onclick };
  return element("button", properties, picture);
}
