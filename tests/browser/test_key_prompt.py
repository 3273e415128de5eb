"""The page of a gallery with keys, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from service.keys import Scope, add_key, keys_path, revoke_key
from service.sessions import COOKIE
from tests.browser.conftest import TIMEOUT_MS
from tests.browser.looking import first_picture_is_drawn
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[httpx.Client, str]]:
    """Serve six colours behind a key; yield a client and the key."""
    with running(tmp_path) as client:
        add_colours(client)
        secret = add_key(keys_path(tmp_path / "gallery"), "shop", Scope.READ, now=time.time())
        yield client, secret


@pytest.fixture
def page(browser: Browser, closed: tuple[httpx.Client, str]) -> Iterator[Page]:
    """Open the page of the closed gallery; nothing may break the content policy."""
    context = browser.new_context(base_url=str(closed[0].base_url))
    problems: list[str] = []
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    context.on("weberror", lambda error: problems.append(str(error.error)))

    def note(message: ConsoleMessage) -> None:
        # A refusal of the service is repeated here by the browser; it is what the test is about.
        if message.type in {"error", "warning"} and "Failed to load" not in message.text:
            problems.append(message.text)

    context.on("console", note)
    page.goto("/")
    yield page
    context.close()
    assert problems == []


def enter(page: Page, key: str) -> None:
    """Type a key and send it."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Enter", exact=True).click()


def test_a_key_opens_the_gallery_with_its_pictures(
    page: Page, closed: tuple[httpx.Client, str]
) -> None:
    """A wrong one is named, the right one shows pictures, which carry a cookie and no key."""
    expect(page.locator("#key-message")).to_contain_text("needs an API key")
    assert page.locator(".tile").count() == 0
    enter(page, "sl_wrong")
    expect(page.locator("#key-message")).to_contain_text("not known")
    enter(page, "\u00e9\u4e2d")
    expect(page.locator("#key-message")).to_contain_text("no key")
    page.keyboard.press("Escape")
    enter(page, closed[1])

    expect(page.locator("#key-prompt")).to_be_hidden()
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.locator("#status")).to_contain_text("6 pictures")
    assert first_picture_is_drawn(page)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert closed[1] not in kept + page.content() + page.evaluate("document.cookie")


def test_searches_and_a_new_tab_go_on_with_the_session(
    page: Page, closed: tuple[httpx.Client, str]
) -> None:
    """Words are sent by POST and pictures by GET: both carry the cookie."""
    enter(page, closed[1])
    expect(page.locator(".tile").first).to_be_visible()
    tab = page.context.new_page()
    tab.set_default_timeout(TIMEOUT_MS)
    tab.goto("/?q=red")

    expect(tab.locator(".tile img").first).to_have_attribute("alt", "a red square")
    assert first_picture_is_drawn(tab)
    tab.goto("/docs")
    expect(tab.locator("#swagger-ui")).to_contain_text("/v1/search")


def test_a_revoked_key_asks_again(
    page: Page, closed: tuple[httpx.Client, str], tmp_path: Path
) -> None:
    """The session ends with its key, and the next request opens the prompt."""
    enter(page, closed[1])
    expect(page.locator(".tile").first).to_be_visible()
    cookies = [cookie for cookie in page.context.cookies() if cookie["name"] == COOKIE]
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [(True, "Strict")]
    path = keys_path(tmp_path / "gallery")
    revoke_key(path, "shop")
    page.get_by_role("searchbox").fill("blue")
    page.keyboard.press("Enter")
    expect(page.locator("#key-prompt")).to_be_visible()
    enter(page, add_key(path, "new", Scope.READ, now=time.time()))

    expect(page.locator(".tile img").first).to_have_attribute("alt", "a blue square")
