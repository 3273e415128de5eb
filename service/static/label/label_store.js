/** What the label view remembers in this browser: labels, templates, mode and least score. */

const KEY = "sightline.labels.v1";

/** Lists to start from; the first is what a newcomer sees. */
export const PRESETS = [
  {
    name: "Everyday",
    labels: [
      "animal", "flower", "tree", "food", "drink", "car", "boat", "airplane", "building",
      "landscape", "musical instrument", "tool",
    ],
  },
  {
    name: "Animals",
    labels: ["cat", "dog", "bird", "fish", "horse", "cow", "insect", "snake", "bear", "monkey"],
  },
  {
    name: "Food",
    labels: ["fruit", "vegetable", "bread", "cake", "meat", "cheese", "soup", "coffee", "ice cream"],
  },
  {
    name: "Places",
    labels: ["beach", "mountain", "forest", "desert", "city", "street", "lake", "kitchen", "garden"],
  },
];

const DEFAULTS = {
  labels: PRESETS[0].labels,
  templateSet: "imagenet7",
  mode: "single",
  leastScore: 0,
};

/**
 * What is remembered.
 *
 * @typedef {{labels: string[], templateSet: string, mode: "single"|"multi", leastScore: number}}
 *   Choice `templateSet` is that of own labels; a saved set has its own
 */

/**
 * Return what was chosen last time, or the defaults.
 *
 * @returns {Choice}
 */
export function loadChoice() {
  try {
    const kept = JSON.parse(window.localStorage.getItem(KEY) ?? "{}");
    const labels = Array.isArray(kept.labels) ? kept.labels.map(String) : DEFAULTS.labels;
    const leastScore = Math.min(1, Math.max(0, Number(kept.leastScore) || 0));
    return { ...DEFAULTS, ...kept, labels, leastScore };
  } catch {
    // Storage may be switched off or hold something foreign; the page works without it.
    return { ...DEFAULTS };
  }
}

/**
 * Remember a choice for the next visit.
 *
 * @param {Choice} choice
 */
export function saveChoice(choice) {
  try {
    window.localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // Nothing to do: a full or forbidden storage only means that the next visit starts afresh.
  }
}
