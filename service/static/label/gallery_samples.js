/** Pictures of the gallery to try labels on; they are named by their ids and never sent. */

import { listItems, search } from "../api.js";
import { byId, element } from "../dom.js";
import { thumbnailAddress } from "../picture_address.js";
import { captionOf } from "../search/tile.js";
import { Picture } from "./picture.js";

const SAMPLES = 12;
const SHOWN_AT_FIRST = 3;
const SIDE_PX = 76;
const PAUSE_MS = 250;

/**
 * Prepare the pictures of the gallery that are offered; who calls shows them.
 *
 * @param {(picture: Picture) => void} onPick
 * @returns {Promise<Picture[]>} a few to begin with; none where the gallery is empty
 */
export async function offerSamples(onPick) {
  const { items } = await listItems({ limit: SAMPLES, cursor: null }).catch(() => ({ items: [] }));
  if (!items.length) return [];
  const show = (found) => {
    byId("label-sample-list").replaceChildren(...found.map((item) => sampleButton(item, onPick)));
  };
  show(items);
  watchFind(items, show);
  return items.slice(0, SHOWN_AT_FIRST).map((item) => new Picture({ item, isExample: true }));
}

/** Offer what a search finds; the first pictures of the gallery where nothing is asked. */
function watchFind(items, show) {
  const field = byId("label-sample-find");
  let timer = 0;
  const find = async () => {
    const query = field.value.trim();
    const found = query ? await search({ query, k: SAMPLES }).catch(() => ({ hits: [] })) : null;
    // An answer to what is no longer asked is late.
    if (field.value.trim() === query) show(found?.hits ?? items);
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, PAUSE_MS);
  });
}

function sampleButton(item, onPick) {
  const caption = captionOf(item);
  const onclick = () => onPick(new Picture({ item, isExample: true }));
  const picture = element("img", { src: thumbnailAddress(item, SIDE_PX), alt: "", loading: "lazy" });
  const properties = { type: "button", "aria-label": `Label: ${caption}`, title: caption, onclick };
  return element("button", properties, picture);
}
