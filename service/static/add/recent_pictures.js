/** The pictures that came in last, as the gallery shows them, and the way to them. */

import { byId, element } from "../dom.js";
import { routeAddress } from "../route.js";
import { pictures } from "../status.js";

const SHOWN = 24;
const LINKED = 200;
const STORED = new Set(["created", "updated", "unchanged"]);

/** A strip of thumbnails of the service: what is seen there is stored. */
export class RecentPictures {
  constructor() {
    this.section = byId("add-recent");
    this.list = byId("add-recent-list");
    this.link = byId("add-see");
  }

  /** @param {import("./upload.js").Upload[]} uploads all of the queue */
  show(uploads) {
    const names = lastStored(uploads, LINKED + 1);
    const ids = [...names.keys()];
    this.section.hidden = !ids.length;
    const last = ids.slice(0, LINKED);
    this.link.hidden = !ids.length;
    this.link.href = routeAddress({ filter: { "@id": last.length === 1 ? last[0] : { in: last } } });
    this.link.textContent = ids.length > LINKED ? `See the last ${LINKED}` : "See them";
    this.#draw(ids.slice(0, SHOWN), names);
  }

  /** @param {{count: number, coverage: number, more: number}} gallery `more` since the page came */
  showCoverage({ count, coverage, more }) {
    const found = coverage === 1 ? "all can be found" : `${percent(coverage)} can be found`;
    const grown = more > 0 ? ` (+${more.toLocaleString("en")})` : "";
    byId("add-coverage").textContent = `${pictures(count)}${grown}, ${found}`;
  }

  #draw(ids, names) {
    const wanted = new Set(ids);
    for (const tile of [...this.list.children]) if (!wanted.has(tile.dataset.id)) tile.remove();
    const there = new Map([...this.list.children].map((tile) => [tile.dataset.id, tile]));
    ids.forEach((id, place) => {
      // A tile in its place is not touched: taken out and put back, it would flicker.
      if (this.list.children[place]?.dataset.id === id) return;
      const tile = there.get(id) ?? tileOf(id, names.get(id));
      this.list.insertBefore(tile, this.list.children[place] ?? null);
    });
  }
}

/** Return the paths of what came in last by id, the newest first. */
function lastStored(uploads, most) {
  const names = new Map();
  for (let place = uploads.length - 1; place >= 0 && names.size < most; place -= 1) {
    const { id, path, state } = uploads[place];
    if (STORED.has(state)) names.set(id, path);
  }
  return names;
}

function tileOf(id, path) {
  const address = `/v1/items/${encodeURIComponent(id)}/thumbnail?size=160`;
  const picture = element("img", { src: address, alt: path, title: path, decoding: "async" });
  const tile = element("li", {}, element("a", { href: routeAddress({ item: id }) }, picture));
  tile.dataset.id = id;
  return tile;
}

function percent(share) {
  // Rounded down: nearly all is not all.
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}
