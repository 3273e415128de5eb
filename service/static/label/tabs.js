/** Tabs: one panel is shown, the arrow keys go from tab to tab. */

/**
 * Let the tabs of a list show their panels.
 *
 * @param {HTMLElement} list with `role="tablist"`; each tab names its panel in `aria-controls`
 * @param {(panel: string) => void} onShow called with the id of the panel that is shown
 */
export function watchTabs(list, onShow) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  for (const tab of tabs) tab.addEventListener("click", () => showTab(list, tab, onShow));
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -tabs.length, End: tabs.length };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const isMirrored = getComputedStyle(list).direction === "rtl" && Math.abs(step) === 1;
    const place = tabs.indexOf(document.activeElement) + (isMirrored ? -step : step);
    const next = tabs[Math.min(tabs.length - 1, Math.max(0, place))];
    next.focus();
    showTab(list, next, onShow);
  });
}

function showTab(list, chosen, onShow) {
  for (const tab of list.querySelectorAll("[role=tab]")) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
  onShow(chosen.getAttribute("aria-controls"));
}
