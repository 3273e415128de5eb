"""Thousands of pictures in a real browser: few of them exist, all of them can be reached."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.large_gallery import build_large_gallery
from tests.service.running import running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

ITEMS = 6000
FAR = 5000
MOST_TILES = 130
"""Three windows of 800 x 600 pixels hold about 70."""
SCROLL_FAR = """async (far) => {
    const frame = () => new Promise(requestAnimationFrame);
    let most = 0;
    for (;;) {
        window.scrollTo(0, document.body.scrollHeight);
        await frame();
        await frame();
        const tiles = [...document.querySelectorAll(".tile")];
        most = Math.max(most, tiles.length);
        if (Number(tiles.at(-1)?.getAttribute("aria-posinset")) >= far) return most;
    }
}"""
FOCUSED = "() => Number(document.activeElement.closest('.tile')?.getAttribute('aria-posinset'))"
FIRST_IN_SIGHT = """() => [...document.querySelectorAll(".tile")]
    .filter((tile) => tile.getBoundingClientRect().top >= 150)
    .map((tile) => Number(tile.getAttribute("aria-posinset")))[0]"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve the large gallery, read only."""
    folder = tmp_path_factory.mktemp("large")
    build_large_gallery(folder / "gallery", items=ITEMS)
    with running(folder) as client:
        yield client


@pytest.fixture
def page(browser: Browser, service: httpx.Client) -> Iterator[Page]:
    """Open the page on the large gallery."""
    context = browser.new_context(
        base_url=str(service.base_url), viewport={"width": 800, "height": 600}
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto("/")
    expect(page.locator(".tile").first).to_be_visible()
    yield page
    context.close()


def test_far_down_a_list_few_tiles_exist_and_all_are_reached(page: Page) -> None:
    """Tiles come and go with the window; Home and End reach those that do not exist yet."""
    assert page.evaluate(SCROLL_FAR, FAR) <= MOST_TILES
    expect(page.locator(".tile[aria-posinset='3']")).to_have_count(0)
    page.locator(".tile-open").last.focus()
    last = page.evaluate(FOCUSED)
    assert last >= FAR
    page.keyboard.press("Home")

    assert page.evaluate(FOCUSED) == 1
    expect(page.locator(".tile[aria-posinset='1']")).to_be_in_viewport()
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED) >= last
    expect(page.locator(".tile:focus-within")).to_be_in_viewport()


def test_the_keyboard_stays_where_it_was_while_the_page_scrolls_away(page: Page) -> None:
    """The tile with the focus is kept, however far away, and the arrows go on from it."""
    page.locator(".tile-open").nth(1).focus()
    page.evaluate(SCROLL_FAR, 400)
    page.wait_for_function("() => !document.querySelector(\".tile[aria-posinset='5']\")")

    assert page.evaluate(FOCUSED) == 2
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == 3
    expect(page.locator(".tile[aria-posinset='3']")).to_be_in_viewport()


def test_going_back_leads_to_the_same_place_and_asks_for_nothing(page: Page) -> None:
    """More like this is another list; back shows the first one where it was left.

    Only the page after it may be asked for, because the end is in sight.
    """
    page.evaluate(SCROLL_FAR, 500)
    page.locator(".tile-open").last.focus()
    place, top = page.evaluate(FOCUSED), page.evaluate("window.scrollY")
    page.keyboard.press("m")
    expect(page.locator("#results-title")).to_have_text("Best first")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.go_back()
    expect(page.locator("#results-title")).to_have_text("In the gallery")
    expect(page.locator(f".tile[aria-posinset='{place}']")).to_be_in_viewport()

    page.wait_for_function("(top) => window.scrollY === top", arg=top)
    lists = [url for url in asked if "/v1/items?" in url or "/v1/search" in url]
    assert [url for url in lists if "cursor=" not in url] == []


def test_another_width_keeps_what_is_in_sight(page: Page) -> None:
    """All rows above change, and the page scrolls by as much."""
    page.evaluate(SCROLL_FAR, 500)
    page.evaluate("window.scrollBy(0, -2000)")
    page.wait_for_function(f"() => ({FIRST_IN_SIGHT})() < 480")
    before = page.evaluate(FIRST_IN_SIGHT)
    page.set_viewport_size({"width": 500, "height": 600})
    page.wait_for_function("() => document.getElementById('grid').clientWidth < 500")

    page.wait_for_function(f"(before) => Math.abs(({FIRST_IN_SIGHT})() - before) <= 4", arg=before)


def test_each_tile_says_its_place_among_all(page: Page) -> None:
    """While more are to come nobody knows how many there are; at the end everybody does."""
    first = page.locator(".tile").first
    expect(first).to_have_attribute("aria-posinset", "1")
    expect(first).to_have_attribute("aria-setsize", "-1")
    page.goto(
        "/?q=number&mode=keyword&filter=%7B%22%40id%22%3A%7B%22prefix%22%3A%22z00000%22%7D%7D"
    )

    expect(page.locator(".tile").first).to_have_attribute("aria-setsize", "10")
