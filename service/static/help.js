/** The dialog that says how to ask and which keys there are. */

import { byId } from "./dom.js";

/** Let the button and the dialog do what they say. */
export function watchHelp() {
  const dialog = byId("help");
  byId("help-open").addEventListener("click", showHelp);
  byId("help-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

/** Open the dialog. */
export function showHelp() {
  const dialog = byId("help");
  if (!document.querySelector("dialog[open]")) dialog.showModal();
}
