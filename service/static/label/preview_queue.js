/** Small previews of files, made one after the other, so that many large pictures fit in memory. */

const SIDE_PX = 480;
const SMALL_BYTES = 150_000;

/** Draws previews in the order they were asked for. */
export class PreviewQueue {
  constructor() {
    this.last = Promise.resolve();
  }

  /**
   * Show the preview of a file in an image, once its turn comes.
   *
   * @param {File} file
   * @param {HTMLImageElement} image gets the class `is-broken` where the file cannot be drawn
   */
  show(file, image) {
    this.last = this.last.then(() => draw(file, image));
  }
}

async function draw(file, image) {
  // A card that was removed meanwhile needs none.
  if (!image.isConnected) return;
  try {
    const blob = file.size <= SMALL_BYTES ? file : await shrunk(file);
    await showBlob(blob, image);
  } catch {
    image.classList.add("is-broken");
  }
}

async function shrunk(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SIDE_PX / Math.min(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((resolve, reject) => {
    const take = (blob) => (blob ? resolve(blob) : reject(new Error("the preview is empty")));
    canvas.toBlob(take, "image/jpeg", 0.85);
  });
}

function showBlob(blob, image) {
  const address = URL.createObjectURL(blob);
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      URL.revokeObjectURL(address);
      settle(value);
    };
    image.onload = () => end(resolve);
    image.onerror = () => end(reject, new Error("no picture"));
    image.src = address;
  });
}
