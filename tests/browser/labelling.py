"""What the tests of the label view do on it: labels, pictures, tabs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.fakes import COLOURS, picture_bytes

_KEEP_CLOSED = """(field) => {
    field.addEventListener("click", (event) => event.preventDefault(), { once: true });
}"""


def use_labels(page: Page, *labels: str) -> None:
    """Put these labels in the place of those in use: all by comma, the last by Enter."""
    field = page.locator("#label-input")
    field.click()
    for _ in range(page.locator("#label-list li").count()):
        field.press("Backspace")
    field.press_sequentially(",".join(labels))
    field.press("Enter")
    expect(page.locator("#label-list li")).to_have_text(list(labels))


def card(page: Page, name: str) -> Locator:
    """Return the card of a file."""
    return page.locator(".label-card", has=page.get_by_role("img", name=name))


def verdict(page: Page, name: str) -> Locator:
    """Return the winner of a file, or what stands in its place."""
    return card(page, name).locator(".label-verdict")


def shades(folder: Path, colour: str, count: int) -> list[Path]:
    """Write pictures near a colour, named after it."""
    red, green, blue = COLOURS[colour]
    paths = []
    for place in range(count):
        shade = tuple(min(255, value + 2 * place) for value in (red, green, blue))
        paths.append(folder / f"{colour}-{place}.png")
        paths[-1].write_bytes(picture_bytes(shade))  # type: ignore[arg-type]  # three numbers
    return paths


def give(page: Page, paths: Sequence[Path]) -> None:
    """Pick files to label."""
    page.locator("#label-file").set_input_files(list(paths))


def give_to_label(page: Page, label: str, paths: Sequence[Path]) -> None:
    """Pick files for a label of the panel that teaches."""
    field = page.locator("#teach-file")
    # No file chooser is waited for: playwright may begin to listen after it has come.
    field.evaluate(_KEEP_CLOSED)
    page.get_by_role("button", name=f"Add pictures of {label}", exact=True).click()
    field.set_input_files(list(paths))


def save_set(page: Page, name: str) -> None:
    """Save the labels in use as a label set and wait until it is in use."""
    page.get_by_role("button", name="Save as a label set").click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#label-saved")).to_be_visible()


def show_tab(page: Page, name: str) -> None:
    """Open a panel beside the pictures."""
    page.get_by_role("tab", name=name).click()
    expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
