/** The status line: what is served, and whether it answers. */

import { SERVICE_LOST, getGallery, getModels } from "./api.js";

/** Event of the document: the service answers again. */
export const SERVICE_FOUND = "service-found";
const RETRY_MS = 3000;

/**
 * Keep the status line true: now, whenever the page comes to the front, and while it is not ready.
 *
 * @param {HTMLElement} line
 */
export function watchStatus(line) {
  let timer = 0;
  let isLooking = false;
  const look = async () => {
    // A look that gets no answer tells so itself; it must not start another one.
    if (isLooking) return;
    isLooking = true;
    clearTimeout(timer);
    const wasDown = line.dataset.state === "down";
    const isUp = await showStatus(line);
    isLooking = false;
    if (!isUp) timer = setTimeout(look, RETRY_MS);
    else if (wasDown) document.dispatchEvent(new Event(SERVICE_FOUND));
  };
  document.addEventListener(SERVICE_LOST, look);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });
  look();
}

/**
 * Ask the service what it serves and write it into the status line.
 *
 * @param {HTMLElement} line
 * @returns {Promise<boolean>} whether the service answered
 */
export async function showStatus(line) {
  const [gallery, models] = await Promise.allSettled([getGallery(), getModels()]);
  const text = line.querySelector(".status-text");
  if (gallery.status === "rejected") {
    line.dataset.state = "down";
    text.textContent = "Not ready";
    line.title = gallery.reason.message;
    return false;
  }
  const { count } = gallery.value;
  const model = modelName(gallery.value, models);
  line.dataset.state = "up";
  text.textContent = [pictures(count), model].filter(Boolean).join(" \u00b7 ");
  line.title = describe(gallery.value, model);
  return true;
}

/**
 * Return a number of pictures in words.
 *
 * @param {number} count
 * @returns {string}
 */
export function pictures(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "picture" : "pictures"}`;
}

function modelName(gallery, models) {
  const named = models.status === "fulfilled" ? models.value.data?.[0]?.id : null;
  return gallery.name ?? named ?? gallery.model ?? "";
}

function describe(gallery, model) {
  const facts = [`model ${model}`];
  if (gallery.dimension) facts.push(`${gallery.dimension} dimensions`);
  if (typeof gallery.index === "string") facts.push(`index ${gallery.index}`);
  return facts.join(", ");
}
