"""What axe-core finds wrong with a page for people who cannot see, hear or point."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
"""Of axe-core's four impacts, those that keep somebody from using the page."""
_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
_AT_REST = """() => document.getAnimations().every((animation) =>
    animation.playState !== "running"
    || animation.effect.getComputedTiming().endTime === Infinity)"""


def assert_accessible(page: Page) -> None:
    """Check that axe-core finds nothing serious or critical in what the page shows now.

    Wait for what is to be judged first. Transitions are waited for here, because half-faded text
    has less contrast than it will have. The strict content policy stays on: playwright's evaluate
    is not part of the page.
    """
    page.wait_for_function(_AT_REST)
    found = Axe().run(page, options=_OPTIONS).response["violations"]
    grave = [
        f"{one['id']} ({one['impact']}): {one['help']}\n    "
        + "\n    ".join(f"{node['target']} {node['html'][:160]}" for node in one["nodes"])
        for one in found
        if one["impact"] in GRAVE
    ]

    assert grave == [], "\n" + "\n".join(grave)
