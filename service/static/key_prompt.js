/** The prompt for an API key: the page gives it away at once for a cookie and does not keep it. */

import { byId } from "./dom.js";

let pending = null;

/**
 * Ask for a key until one is right; requests that ask at the same time share one prompt.
 *
 * @param {string} reason what the service said when it refused
 * @returns {Promise<void>} resolved when the session has begun
 */
export function askForKey(reason) {
  pending ??= prompt(reason).finally(() => {
    pending = null;
  });
  return pending;
}

function prompt(reason) {
  const dialog = byId("key-prompt");
  const field = byId("key-field");
  const message = byId("key-message");
  message.textContent = reason;
  dialog.addEventListener("cancel", keepOpen);
  dialog.showModal();
  return new Promise((resolve) => {
    byId("key-form").onsubmit = async (event) => {
      event.preventDefault();
      const problem = await beginSession(field.value.trim());
      field.value = "";
      if (problem) {
        message.textContent = problem;
        field.focus();
        return;
      }
      dialog.removeEventListener("cancel", keepOpen);
      dialog.close();
      resolve();
    };
  });
}

/** The page has nothing to show without a key. */
function keepOpen(event) {
  event.preventDefault();
}

/** Return what is wrong with a key, or nothing. */
async function beginSession(key) {
  try {
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch("/v1/session", { method: "POST", headers });
    if (response.ok) return null;
    const body = await response.json().catch(() => ({}));
    return body.error?.message ?? `the service answered ${response.status}`;
  } catch {
    // Also a key with characters that no header can hold.
    return "that is no key, or the service does not answer; try again";
  }
}
