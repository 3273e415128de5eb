"""Keys that may do more than look, asked for by the page when something needs them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.keys import Scope, add_key, keys_path, revoke_key
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.fakes import picture_bytes
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

KEYS: dict[Scope, str] = {}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve six colours with a key of each scope."""
    with running(tmp_path) as client:
        add_colours(client)
        for scope in Scope:
            path = keys_path(tmp_path / "gallery")
            KEYS[scope] = add_key(path, str(scope), scope, now=time.time())
        yield client


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Write a picture that the gallery does not have."""
    path = tmp_path / "new.png"
    path.write_bytes(picture_bytes((90, 10, 90)))
    return path


def enter(page: Page, key: str) -> None:
    """Type a key and send it."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Enter", exact=True).click()


def look(page: Page) -> None:
    """Begin the session, which may only look."""
    expect(page.locator("#key-title")).to_have_text("Which key is yours?")
    expect(page.locator("#key-cancel")).to_be_hidden()
    enter(page, KEYS[Scope.READ])
    expect(page.locator("#key-prompt")).to_be_hidden()


def test_adding_asks_once_for_a_key_that_may_write(
    open_page: OpenPage, picture: Path, tmp_path: Path
) -> None:
    """One that may only look is refused with the reason; the right one is in memory alone."""
    page = open_page("/?view=add", refusals=True)
    look(page)
    page.locator("#add-files").set_input_files(picture)
    expect(page.locator("#key-title")).to_have_text("This needs a key that may write")
    assert_accessible(page)
    enter(page, "sl_wrong")
    expect(page.locator("#key-message")).to_contain_text("not known")
    enter(page, KEYS[Scope.READ])
    expect(page.locator("#key-message")).to_contain_text("has the scope read, this needs write")
    enter(page, KEYS[Scope.WRITE])
    expect(page.locator("#add-counts")).to_have_text("1 added")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert KEYS[Scope.WRITE] not in kept + page.content() + page.evaluate("document.cookie")
    other = tmp_path / "other.png"
    other.write_bytes(picture_bytes((10, 90, 90)))
    page.locator("#add-files").set_input_files(other)

    expect(page.locator("#add-counts")).to_have_text("2 added")


def test_without_a_key_nothing_is_added_and_it_is_said(
    open_page: OpenPage, service: httpx.Client, picture: Path
) -> None:
    """Escape and the button cancel; going on asks again."""
    page = open_page("/?view=add", refusals=True)
    look(page)
    page.locator("#add-files").set_input_files(picture)
    expect(page.locator("#key-title")).to_have_text("This needs a key that may write")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#add-trouble")).to_contain_text("API key with the scope write")
    expect(page.locator("#add-progress-title")).to_have_text("Paused")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#key-prompt")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#add-progress-title")).to_have_text("Paused")
    headers = {"Authorization": f"Bearer {KEYS[Scope.READ]}"}
    assert service.get("/v1/gallery", headers=headers).json()["count"] == 6
    page.get_by_role("button", name="Go on").click()
    enter(page, KEYS[Scope.ADMIN])

    expect(page.locator("#add-counts")).to_have_text("1 added")


DELETE_NOTHING = """() => {
    window.answer = import("/static/api.js").then(({ send }) =>
        send("/v1/items/delete", { json: { ids: ["nobody"] }, scope: "write" }));
}"""
ASK_TWICE = """() => {
    window.answer = import("/static/key_prompt.js").then(async ({ askForKey, keyFor }) => {
        await Promise.all([askForKey("", "read"), askForKey("", "admin")]);
        return keyFor("admin");
    });
}"""


def test_a_revoked_key_is_forgotten_and_asked_for_anew(open_page: OpenPage, tmp_path: Path) -> None:
    """The page does not go on with a key that is refused, and keeps the new one."""
    page = open_page("/", refusals=True)
    look(page)
    page.evaluate(DELETE_NOTHING)
    enter(page, KEYS[Scope.WRITE])
    assert page.evaluate("window.answer") == {"deleted": 0}
    revoke_key(keys_path(tmp_path / "gallery"), "write")
    page.evaluate(DELETE_NOTHING)
    expect(page.locator("#key-title")).to_have_text("This needs a key that may write")
    enter(page, KEYS[Scope.ADMIN])
    assert page.evaluate("window.answer") == {"deleted": 0}
    page.evaluate(DELETE_NOTHING)

    assert page.evaluate("window.answer") == {"deleted": 0}
    expect(page.locator("#key-prompt")).to_be_hidden()


def test_one_key_is_entered_once_where_two_things_wait_for_it(open_page: OpenPage) -> None:
    """What is entered to look also does for what waits behind it, if it may."""
    page = open_page("/", refusals=True)
    look(page)
    page.evaluate(ASK_TWICE)
    expect(page.locator("#key-title")).to_have_text("Which key is yours?")
    enter(page, KEYS[Scope.ADMIN])

    assert page.evaluate("window.answer") == KEYS[Scope.ADMIN]
    expect(page.locator("#key-prompt")).to_be_hidden()


def test_health_is_shown_to_operators(open_page: OpenPage) -> None:
    """Without the key the view says what it needs, and offers to enter one."""
    page = open_page("/", refusals=True)
    look(page)
    page.get_by_role("link", name="Health").click()
    expect(page.locator("#key-title")).to_have_text("This needs the key of an operator")
    page.keyboard.press("Escape")
    expect(page.locator("#health-notice")).to_contain_text("scope admin")
    page.get_by_role("button", name="Enter a key").click()
    enter(page, KEYS[Scope.WRITE])
    expect(page.locator("#key-message")).to_contain_text("this needs admin")
    enter(page, KEYS[Scope.ADMIN])

    expect(page.locator("#health-gallery-number")).to_contain_text("6 pictures can be found")
