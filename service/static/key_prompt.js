/**
 * The prompt for an API key. For looking, the page gives the key away at once for a cookie. A key
 * that may do more is kept in memory until the page is closed, and nowhere else.
 */

import { byId } from "./dom.js";

const SCOPES = ["read", "write", "admin"];
const WORDS = {
  read: { title: "Which key is yours?", hint: "" },
  write: {
    title: "This needs a key that may write",
    hint: "The page may look, not change anything. The key is kept until the page is closed.",
  },
  admin: {
    title: "This needs the key of an operator",
    hint: "It shows how the service does. The key is kept until the page is closed.",
  },
};

/** The key that this page was given for more than looking. */
let held = null;
const pending = new Map();

/** The user did not give a key. */
export class KeyRefused extends Error {
  /** @param {string} scope what the key would have had to allow */
  constructor(scope) {
    super(`this needs an API key with the scope ${scope}, and none was given`);
    this.name = "KeyRefused";
  }
}

/**
 * Return the key to send with a request; looking needs none, because the cookie does.
 *
 * @param {string} scope
 * @returns {string|null}
 */
export function keyFor(scope) {
  return scope !== "read" && held && allows(held.scope, scope) ? held.key : null;
}

/**
 * Forget a key that was refused, unless a newer one took its place.
 *
 * @param {string} key
 */
export function forgetKey(key) {
  if (held?.key === key) held = null;
}

/**
 * Ask for a key until one is right; requests that ask at the same time share one prompt.
 *
 * @param {string} reason what the service said when it refused
 * @param {"read"|"write"|"admin"} [scope] what the key has to allow
 * @returns {Promise<void>} resolved when the key was accepted
 * @throws {KeyRefused} the user closed the prompt, which only one for `read` does not allow
 */
export function askForKey(reason, scope = "read") {
  if (!pending.has(scope)) {
    const asked = askAfter([...pending.values()], reason, scope);
    pending.set(scope, asked.finally(() => pending.delete(scope)));
  }
  return pending.get(scope);
}

/** One dialog at a time; what is entered for another scope may do for this one as well. */
async function askAfter(others, reason, scope) {
  const settled = await Promise.allSettled(others);
  // Any right key begins a session, and a session may look.
  const maySee = scope === "read" && settled.some(({ status }) => status === "fulfilled");
  if (!maySee && !keyFor(scope)) await prompt(reason, scope);
}

function allows(has, needed) {
  return SCOPES.indexOf(has) >= SCOPES.indexOf(needed);
}

function prompt(reason, scope) {
  const dialog = byId("key-prompt");
  const { title, hint } = WORDS[scope];
  byId("key-title").textContent = title;
  byId("key-hint").textContent = hint;
  byId("key-hint").hidden = !hint;
  // Of more than looking the title says it all, until a key is refused.
  byId("key-message").textContent = scope === "read" ? reason : "";
  delete byId("key-message").dataset.tone;
  byId("key-cancel").hidden = scope === "read";
  dialog.dataset.scope = scope;
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve, reject) => {
    const cancel = (event) => {
      event.preventDefault();
      // The page has nothing to show without a key, so the first prompt stays.
      if (scope !== "read") end(() => reject(new KeyRefused(scope)));
    };
    const submit = async (event) => {
      event.preventDefault();
      if (await accept(scope)) end(resolve);
    };
    const listeners = new AbortController();
    const end = (settle) => {
      listeners.abort();
      byId("key-field").value = "";
      dialog.close();
      settle();
    };
    const { signal } = listeners;
    dialog.addEventListener("cancel", cancel, { signal });
    byId("key-cancel").addEventListener("click", cancel, { signal });
    byId("key-form").addEventListener("submit", submit, { signal });
  });
}

/** Try the key in the field; say what is wrong with it, or keep it as its scope wants. */
async function accept(scope) {
  const field = byId("key-field");
  const key = field.value.trim();
  const { problem, scope: granted } = await beginSession(key);
  field.value = "";
  const refusal = problem ?? tooSmall(granted, scope);
  if (refusal) {
    byId("key-message").textContent = refusal;
    byId("key-message").dataset.tone = "error";
    field.focus();
    return false;
  }
  // For looking none is kept, unless something waits for more than that.
  if (scope !== "read" || pending.size > 1) held = { key, scope: granted };
  return true;
}

function tooSmall(granted, needed) {
  if (!granted || allows(granted, needed)) return null;
  return `that key has the scope ${granted}, this needs ${needed}; ask the operator for another one`;
}

/** Return the scope of a key, or what is wrong with it. */
async function beginSession(key) {
  try {
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch("/v1/session", { method: "POST", headers });
    const body = await response.json().catch(() => ({}));
    if (response.ok) return { scope: body.scope };
    return { problem: body.error?.message ?? `the service answered ${response.status}` };
  } catch {
    // Also a key with characters that no header can hold.
    return { problem: "that is no key, or the service does not answer; try again" };
  }
}
