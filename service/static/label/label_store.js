/** What the label view remembers in this browser: labels, templates and mode. */

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

const DEFAULTS = { labels: PRESETS[0].labels, templateSet: "imagenet7", mode: "single" };

/**
 * Return what was chosen last time, or the defaults.
 *
 * @returns {{labels: string[], templateSet: string, mode: string}}
 */
export function loadChoice() {
  try {
    const kept = JSON.parse(window.localStorage.getItem(KEY) ?? "{}");
    const labels = Array.isArray(kept.labels) ? kept.labels.map(String) : DEFAULTS.labels;
    return { ...DEFAULTS, ...kept, labels };
  } catch {
    // Storage may be switched off or hold something foreign; the page works without it.
    return { ...DEFAULTS };
  }
}

/**
 * Remember a choice for the next visit.
 *
 * @param {{labels: string[], templateSet: string, mode: string}} choice
 */
export function saveChoice(choice) {
  try {
    window.localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // Nothing to do: a full or forbidden storage only means that the next visit starts afresh.
  }
}
