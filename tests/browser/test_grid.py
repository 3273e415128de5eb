"""The grid and the details in a real browser: keys, pages, places that stay."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SHADES, OpenPage
from tests.browser.looking import expect_address, expect_first, first_tile

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

ROWS_ARE_FULL = """() => {
    window.scrollTo(0, document.body.scrollHeight);
    const list = document.getElementById("grid").getBoundingClientRect();
    const ends = new Map();
    for (const tile of document.querySelectorAll(".tile:not(.is-current)")) {
        const { top, right } = tile.getBoundingClientRect();
        ends.set(Math.round(top), Math.max(right, ends.get(Math.round(top)) ?? 0));
    }
    const all = [...ends.values()];
    return all.length > 2 && all.every((end) => Math.abs(end - list.right) <= 1);
}"""
SCROLL_THROUGH = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const seen = new Map();
    const root = document.documentElement;
    const isDone = () => document.getElementById("pager").hidden
        && root.scrollTop + window.innerHeight >= root.scrollHeight - 1;
    for (let frames = 0; frames < 2 || !isDone(); frames += 1) {
        window.scrollBy(0, window.innerHeight / 2);
        await frame();
        await frame();
        for (const tile of document.querySelectorAll(".tile")) {
            seen.set(Number(tile.getAttribute("aria-posinset")), tile.dataset.id);
        }
    }
    return [...seen.entries()].sort(([a], [b]) => a - b).map(([, id]) => id);
}"""
"""Scroll to the end of the list; return the id at each place that a tile said it had."""
MOST_SHIFT = 0.02
"""Cumulative layout shift; 0.1 is what browsers' makers call good."""
SHIFT = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
})"""


def test_the_keyboard_is_enough(open_page: OpenPage) -> None:
    """Slash, words, arrows, Enter, arrows in the dialog, Escape, M: no mouse at all."""
    page = open_page()
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    expect_first(page, "red")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.closest('.tile').dataset.id")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.locator("#details-facts dd").first).to_have_text(second)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#details-facts dd").first).to_have_text("red")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect_address(page, "/?q=red")
    expect(first_tile(page).locator(".tile-open")).to_be_focused()
    page.keyboard.press("m")

    expect(page).to_have_url(re.compile(r"q=%2Bid%3Ared$"))


def test_arrows_go_down_and_up_between_rows(open_page: OpenPage) -> None:
    """Down leads to the tile below, up leads back, and above the first row is the box."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    page.get_by_role("searchbox").focus()
    page.keyboard.press("ArrowDown")
    top = focused_top(page)
    page.keyboard.press("ArrowDown")
    assert focused_top(page) > top
    page.keyboard.press("ArrowUp")
    assert focused_top(page) == top
    page.keyboard.press("ArrowUp")

    expect(page.get_by_role("searchbox")).to_be_focused()


def test_scrolling_shows_every_picture_once(open_page: OpenPage) -> None:
    """The end of the page brings the next one, without gaps and repeats."""
    page = open_page("/?q=red")
    expect_first(page, "red")

    ids = page.evaluate(SCROLL_THROUGH)
    assert len(set(ids)) == len(ids) == SHADES + 6
    expect(page.locator("#pager")).to_be_hidden()


def test_a_failed_page_can_be_asked_for_again(open_page: OpenPage) -> None:
    """What is there stays, the reason stands below it, and the button tries once more."""
    page = open_page("/?q=red", refusals=True)
    expect_first(page, "red")
    page.route("**/v1/search", lambda route: route.abort())
    page.mouse.wheel(0, 100_000)
    expect(page.locator("#pager-error")).to_contain_text("does not answer")
    assert page.locator(".tile").count() > 0
    page.unroute("**/v1/search")
    page.get_by_role("button", name="More pictures").click()

    expect(page.locator(f".tile[aria-setsize='{SHADES + 6}']").first).to_be_attached()


def test_nothing_jumps_while_pictures_arrive(open_page: OpenPage) -> None:
    """The place of each tile is known before it is drawn, and more pictures move none."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    page.evaluate(SCROLL_THROUGH)

    assert page.evaluate(SHIFT) < MOST_SHIFT


def test_a_row_that_is_not_full_waits_for_more(open_page: OpenPage) -> None:
    """After the window has changed, too, all rows are full while there is more to come."""
    page = open_page(viewport={"width": 1200, "height": 900}, refusals=True)
    page.route("**/v1/search", refuse_second)
    page.goto("/?q=red")
    expect_first(page, "red")
    page.mouse.wheel(0, 100_000)
    expect(page.locator("#pager-error")).to_contain_text("does not answer")
    for width in (1200, 700, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(ROWS_ARE_FULL)


def test_labels_find_their_place_kept(open_page: OpenPage) -> None:
    """The answers come into the space that was left for them."""
    page = open_page("/?view=label")
    expect(page.locator(".label-verdict")).to_have_text([re.compile(r"\w")] * 3)
    expect(page.locator("#label-samples")).to_be_visible()

    assert page.evaluate(SHIFT) < MOST_SHIFT


def test_details_show_what_is_known(open_page: OpenPage) -> None:
    """A link to a picture opens it large, with caption, metadata and its neighbours."""
    page = open_page("/?item=green")
    dialog = page.get_by_role("dialog")

    expect(dialog.get_by_role("heading", name="a green square")).to_be_visible()
    expect(dialog.locator("#details-facts")).to_have_text("idgreenn1")
    expect(dialog.locator("#details-neighbours img")).to_have_count(8)
    picture = re.compile("^/v1/items/green/image")
    expect(dialog.locator("#details-image")).to_have_attribute("src", picture)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect_address(page, "/")


def test_details_explain_a_query_of_several_parts(open_page: OpenPage) -> None:
    """Why this picture: one bar for each part of the query; less like this adds a part."""
    page = open_page("/?q=red+-green")
    expect_first(page, "red")
    first_tile(page).locator(".tile-open").click()
    expect(page.locator("#details-why li")).to_have_count(2)
    expect(page.locator("#details-why")).to_contain_text("green")
    page.get_by_role("button", name="Less like this", exact=True).click()

    expect(page.get_by_role("searchbox")).to_have_value("red -green -id:red")


def refuse_second(route: Route) -> None:
    """Answer the first page of a search, and no other."""
    if "cursor" in (route.request.post_data or ""):
        route.abort()
    else:
        route.continue_()


def focused_top(page: Page) -> float:
    """Return where the tile with the keyboard begins on the page, in pixels."""
    script = "document.activeElement.getBoundingClientRect().top + window.scrollY"
    return float(round(page.evaluate(script)))
