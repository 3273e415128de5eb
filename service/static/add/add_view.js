/** The add view: pictures and folders in, and for each of them what became of it. */

import { getGallery } from "../api.js";
import { byId, showNotice } from "../dom.js";
import { showStatus } from "../status.js";
import { describe, readFields } from "./descriptions.js";
import { filesOfDialog, filesOfDrop, sortFiles } from "./dropped_files.js";
import { FileList } from "./file_list.js";
import { Progress } from "./progress.js";
import { RecentPictures } from "./recent_pictures.js";
import { RefusedList } from "./refused_list.js";
import { newUpload, size } from "./upload.js";
import { UploadQueue } from "./upload_queue.js";

const DRAW_EVERY_MS = 120;
const COUNT_EVERY_MS = 2000;
const READ_ONLY = {
  tone: "empty",
  title: "This service is read-only",
  text: "Its gallery can be looked at here and changed elsewhere: by the service that writes it, or by sightline add where the gallery lies.",
};

/** Files, the queue that carries them, and what is shown of it. */
export class View {
  constructor() {
    this.notice = byId("add-notice");
    this.fields = byId("add-fields");
    this.files = new FileList(byId("add-all-list"));
    this.refused = new RefusedList();
    this.recent = new RecentPictures();
    this.progress = new Progress();
    this.queue = null;
    this.gallery = null;
    this.leftAlone = 0;
    this.#listen();
  }

  /** @returns {string} what dropping pictures here does */
  get dropText() {
    return this.gallery?.read_only ? "This service is read-only" : "Drop to add";
  }

  /** Show the view; what is under way goes on while other views are shown. */
  async show() {
    await this.#lookAtGallery();
    this.#draw();
  }

  /**
   * Add what was dropped, pasted or picked.
   *
   * @param {File[]} files
   * @param {DataTransfer} [transfer] of a drop; folders are only found in it
   */
  async takeImages(files, transfer) {
    // Before the first wait: the browser forgets a drop when its event is over.
    const found = transfer ? filesOfDrop(transfer) : Promise.resolve(filesOfDialog(files));
    await this.#take(await found);
  }

  async #take(found) {
    if (!this.gallery) await this.#lookAtGallery();
    if (!this.gallery || this.gallery.read_only) return;
    const { fields, problem } = readFields(this.fields.value);
    this.fields.toggleAttribute("aria-invalid", Boolean(problem));
    if (problem) {
      this.fields.setAttribute("aria-invalid", "true");
      const action = { label: "Add them now", run: () => this.#take(found) };
      const title = "Nothing was added yet: mend the fields for all";
      showNotice(this.notice, { title, text: `${problem}, for example year=2024`, action });
      return;
    }
    const { pictures: chosen, beside, leftAlone } = sortFiles(found);
    const captions = byId("add-captions").querySelector("input:checked").value;
    const { described, problems } = await describe(chosen, beside, { captions, fields });
    this.leftAlone += leftAlone;
    showNotice(this.notice, nothingOrProblems(chosen, problems));
    if (!chosen.length) return;
    this.queue ??= this.#newQueue();
    this.queue.add(chosen.map((one, place) => newUpload({ ...one, described: described[place] })));
    this.files.show(this.queue.uploads);
    this.#draw();
    // On a phone it is below the controls.
    byId("add-progress").scrollIntoView({ block: "nearest" });
    this.#watch();
  }

  #newQueue() {
    return new UploadQueue({ limits: this.gallery.limits, onChange: () => this.#changed() });
  }

  #listen() {
    byId("add-pick-files").addEventListener("click", () => byId("add-files").click());
    byId("add-pick-folder").addEventListener("click", () => byId("add-folder").click());
    for (const name of ["add-files", "add-folder"]) {
      byId(name).addEventListener("change", ({ target }) => {
        this.takeImages([...target.files]);
        target.value = "";
      });
    }
    byId("add-pause").addEventListener("click", () => this.#togglePause());
    byId("add-cancel").addEventListener("click", () => this.queue.cancel());
    byId("add-retry").addEventListener("click", () => this.#retry());
    byId("add-clear").addEventListener("click", () => this.#clear());
    byId("add-all").addEventListener("toggle", () => this.files.draw());
    window.addEventListener("beforeunload", (event) => {
      if (this.queue?.isRunning) event.preventDefault();
    });
  }

  #togglePause() {
    if (this.queue.isPaused) this.queue.resume();
    else this.queue.pause();
    this.progress.pace.reset();
  }

  #retry() {
    this.progress.pace.reset();
    this.queue.retry();
    this.#watch();
  }

  #clear() {
    this.queue = null;
    this.leftAlone = 0;
    this.progress.pace.reset();
    this.files.show([]);
    this.#draw();
    byId("add-pick-files").focus();
  }

  /** Count what can be found, now and then while pictures come in, and once more at the end. */
  async #watch() {
    if (this.isWatching) return;
    this.isWatching = true;
    while (this.queue?.isRunning) {
      await new Promise((resolve) => setTimeout(resolve, COUNT_EVERY_MS));
      await this.#lookAtGallery();
    }
    this.isWatching = false;
  }

  async #lookAtGallery() {
    try {
      this.gallery = await getGallery();
      this.countBefore ??= this.gallery.count;
      this.#drawGallery();
    } catch (error) {
      if (!this.gallery) showNotice(this.notice, { title: "The service does not say what it takes", text: error.message });
    }
  }

  #changed() {
    if (this.queue) this.progress.pace.note(this.queue.done, performance.now());
    const isDone = this.queue && !this.queue.isRunning;
    if (isDone && !this.wasDone) this.#lookAtGallery().then(() => showStatus(byId("status")));
    this.wasDone = isDone;
    if (this.timer) return;
    // Not by frames: a page in the background shows none, and its title goes on.
    this.timer = setTimeout(() => {
      this.timer = null;
      this.#draw();
    }, DRAW_EVERY_MS);
  }

  #draw() {
    const uploads = this.queue?.uploads ?? [];
    this.progress.show(this.queue, this.leftAlone);
    this.refused.show(uploads.filter(({ state }) => state === "error"));
    this.recent.show(uploads);
    byId("add-all").hidden = !uploads.length;
    this.files.draw();
  }

  #drawGallery() {
    const { count, coverage, limits, read_only: isReadOnly } = this.gallery;
    this.recent.showCoverage({ count, coverage, more: count - this.countBefore });
    byId("add-accepted").textContent = accepted(limits);
    byId("add-controls").hidden = isReadOnly;
    // Phones cannot pick folders.
    byId("add-pick-folder").hidden = !("webkitdirectory" in HTMLInputElement.prototype);
    if (isReadOnly) showNotice(this.notice, READ_ONLY);
  }
}

function accepted({ formats, image_bytes: most }) {
  return `${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}, up to ${size(most)} each`;
}

function nothingOrProblems(chosen, problems) {
  if (problems.length) {
    const text = problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
    return { title: "Captions that could not be read; the pictures are added without them", text };
  }
  return chosen.length ? null : { tone: "empty", title: "There was no picture in that" };
}
