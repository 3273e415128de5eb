/** Numbers for people. */

/**
 * @param {number} number
 * @returns {string} with separators between thousands
 */
export function whole(number) {
  return Math.round(number).toLocaleString("en");
}

/**
 * @param {number} number
 * @param {string} noun in the singular; its plural takes an s
 * @returns {string}
 */
export function count(number, noun) {
  return `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * @param {number} share from 0 to 1
 * @returns {string}
 */
export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 1) return "under 1 %";
  // Nearly all is not all.
  return `${value > 99 && value < 100 ? 99 : Math.round(value)} %`;
}

/**
 * @param {number|null} seconds of a request
 * @returns {string}
 */
export function milliseconds(seconds) {
  if (seconds === null) return "\u2013";
  const value = seconds * 1000;
  if (value >= 1000) return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

/**
 * @param {number} number of bytes
 * @returns {string}
 */
export function bytes(number) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = number < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(number) / 3));
  const value = number / 1000 ** power;
  return `${value.toFixed(power && value < 10 ? 1 : 0)} ${units[power]}`;
}

/**
 * @param {number} seconds
 * @returns {string} a length of time
 */
export function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} hours`;
  return `${Math.round(seconds / 86_400)} days`;
}

/**
 * @param {number} perSecond
 * @returns {string} a rate
 */
export function rate(perSecond) {
  if (perSecond === 0) return "0";
  if (perSecond < 0.1) return `${(perSecond * 60).toFixed(1)} a minute`;
  return `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} a second`;
}
