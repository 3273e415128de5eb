"""What the browser tests wait for on the page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


def first_tile(page: Page) -> Locator:
    """Return the best hit."""
    return page.locator(".tile").first


def expect_first(page: Page, colour: str) -> None:
    """Wait until the best hit is the square of a colour."""
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(first_tile(page)).to_have_attribute("data-id", colour)
    expect(first_tile(page).locator(".score")).to_be_visible()


def expect_address(page: Page, end: str) -> None:
    """Wait until the address ends so: the browser changes it a moment after what is shown."""
    expect(page).to_have_url(re.compile(re.escape(end) + "$"))


def first_picture_is_drawn(page: Page) -> bool:
    """Wait until the first thumbnail has pixels."""
    page.wait_for_function("() => document.querySelector('.tile img').naturalWidth > 0")
    return True
