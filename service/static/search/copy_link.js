/** Copying an address, with a word about whether it worked. */

const SHOWN_MS = 2600;

/**
 * Copy an address to the clipboard.
 *
 * @param {HTMLElement} label says that it can be copied, and for a moment that it was
 * @param {string} path of this page
 * @param {string} [done] what to say then
 */
export async function copyLink(label, path, done = "Copied") {
  const address = new URL(path, window.location.href).href;
  const before = label.dataset.label ?? label.textContent;
  label.dataset.label = before;
  try {
    await navigator.clipboard.writeText(address);
    label.textContent = done;
  } catch {
    // Browsers refuse the clipboard to pages without TLS that are not on this machine.
    window.prompt(done === "Copied" ? "Copy this link" : `${done}:`, address);
  }
  setTimeout(() => {
    label.textContent = before;
  }, SHOWN_MS);
}
