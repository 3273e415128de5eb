/** Pictures from outside: dropped on the page, pasted, or picked from a dialog. */

/**
 * Watch the page for pictures that are dropped or pasted anywhere on it.
 *
 * @param {{overlay: HTMLElement, describe: () => string, take: (files: File[], transfer?: DataTransfer)
 *   => void}} options `describe` says what a drop would do, or nothing where parts of the view take
 *   drops themselves; `take` gets every file, because the service is the one that judges whether a
 *   file is a picture; of a drop also what folders are in
 */
export function watchForImages({ overlay, describe, take }) {
  let depth = 0;
  const show = (isOver) => {
    const text = isOver ? describe() : "";
    overlay.hidden = !text;
    if (text) overlay.querySelector("p").textContent = text;
  };
  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) show(false);
  });
  document.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    depth = 0;
    show(false);
    // A part of the view took it already.
    if (!hasFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const { dataTransfer } = event;
    give([...dataTransfer.files], (files) => take(files, dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) event.preventDefault();
    give(files, take);
  });
}

/**
 * Let a button open the file dialog of a hidden input.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLInputElement} input
 * @param {(files: File[]) => void} take
 */
export function pickImages(button, input, take) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    give([...input.files], take);
    // The same file picked again has to count as a change.
    input.value = "";
  });
}

function give(files, take) {
  if (files.length) take(files);
}

function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
