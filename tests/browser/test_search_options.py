"""Chips, filters, modes, the cut-off line and help, in a real browser against a real service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SHADES, OpenPage
from tests.browser.looking import expect_first, first_tile

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

TIMEOUT_MS = 60_000
MOST_SHIFT = 0.02
"""Cumulative layout shift; 0.1 is what browsers' makers call good."""
SHIFT = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
})"""
PICTURES_LOADED = """() => performance.getEntriesByType("resource")
    .filter(({ name, transferSize }) => name.includes("/thumbnail") && transferSize > 0)
    .map(({ name }) => name)"""


@pytest.fixture(autouse=True)
def _patience() -> None:
    """Busy machines are slow; nothing here measures time."""
    expect.set_options(timeout=TIMEOUT_MS)


def test_a_chip_is_edited_and_the_query_follows(open_page: OpenPage) -> None:
    """Click or Enter on a chip opens its text; Enter keeps the change, Escape does not."""
    page = open_page("/?q=red+-blue+2:white")
    expect(page.locator("#query-terms li")).to_have_text(["red", "\u2212blue", "2\u00d7white"])
    box = page.get_by_role("searchbox")
    page.get_by_role("button", name="Edit white").press("Enter")
    page.keyboard.type("0.5:green")
    page.keyboard.press("Enter")
    expect(box).to_have_value("red -blue 0.5:green")
    expect(page.locator("#query-terms li")).to_have_text(["red", "\u2212blue", "0.5\u00d7green"])
    expect_first(page, "yellow")
    page.get_by_role("button", name="Edit blue").click()
    page.keyboard.type("-yellow")
    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Edit blue")).to_be_focused()
    expect(box).to_have_value("red -blue 0.5:green")


def test_less_like_this_pushes_away_from_a_hit(open_page: OpenPage) -> None:
    """The button adds a negative part, so does the key L; back takes it out again."""
    page = open_page("/?q=yellow")
    expect_first(page, "yellow")
    page.locator(".tile[data-id=red]").hover()
    page.get_by_role("button", name="Less like this: a red square").click()
    box = page.get_by_role("searchbox")
    expect(box).to_have_value("yellow -id:red")
    expect(page.locator("#query-terms li")).to_have_text(["yellow", "\u2212unlike red"])
    page.go_back()
    expect(box).to_have_value("yellow")
    expect_first(page, "yellow")
    page.locator(".tile[data-id=red] .tile-open").focus()
    page.keyboard.press("l")

    expect(box).to_have_value("yellow -id:red")


def test_filters_come_from_the_fields_that_exist(open_page: OpenPage) -> None:
    """Ticked values become a chip and part of the address; taking the chip out shows all again."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    page.get_by_role("button", name="Filter", exact=True).click()
    dialog = page.get_by_role("dialog", name="Only pictures with")
    dialog.locator("summary", has_text=re.compile(r"^n\s*6$")).click()
    dialog.locator("input[value='1']").check()
    dialog.locator("input[value='3']").check()
    expect(page.locator(".tile")).to_have_count(2)
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("#filter-chips li")).to_have_text(["n1 or 3"])
    assert re.search(r"filter=%7B%22n%22%3A%7B%22in%22%3A%5B1%2C3%5D", page.url)
    page.reload()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("button", name="Remove the filter n: 1 or 3").click()

    expect_first(page, "red")
    expect(page.locator(".tile")).not_to_have_count(2)
    assert "filter" not in page.url


def test_a_range_and_a_value_of_the_details_filter_too(open_page: OpenPage) -> None:
    """Numbers have bounds; each fact of a picture is a filter of its own."""
    page = open_page()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator("#filter-fields summary").first.click()
    page.get_by_role("spinbutton", name="n from").fill("4")
    page.get_by_role("spinbutton", name="n from").blur()
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#filter-chips li")).to_have_text(["n\u2265 4"])
    expect(page.locator(".tile")).to_have_count(2)
    page.locator(".tile[data-id=white] .tile-open").click()
    page.get_by_role("button", name="Only pictures with n 4").click()

    expect(page.locator("#filter-chips li")).to_have_text(["n4"])
    expect(page.locator(".tile")).to_have_count(1)


def test_a_filter_that_the_service_refuses_says_why(open_page: OpenPage) -> None:
    """An address that is no JSON is not ignored; its chip takes it out."""
    page = open_page("/?q=red&filter=%7Bnot+json", refusals=True)
    expect(page.get_by_role("alert")).to_contain_text("filter")
    page.get_by_role("button", name="Remove the filter {not json").click()

    expect_first(page, "red")


def test_the_mode_is_switched_and_shared(open_page: OpenPage) -> None:
    """Keyword search finds captions only; nothing found offers the vectors; back works."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    page.get_by_text("Keyword", exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)
    assert page.url.endswith("/?q=red&mode=keyword")
    page.get_by_role("searchbox").fill("scarlet")
    expect(page.get_by_role("alert")).to_contain_text("No caption or metadata holds these words")
    page.get_by_role("button", name="Search by vector").click()
    expect(page.locator(".tile").first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("radio", name="Keyword")).to_be_checked()
    page.goto("/?q=a+red+square&mode=hybrid")

    expect_first(page, "red")
    expect(page.get_by_role("radio", name="Hybrid")).to_be_checked()


def test_the_cut_off_line_stands_where_the_confidence_falls(open_page: OpenPage) -> None:
    """The line is above the first hit under the slider's value; without confidence is none."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    expect(page.locator("#cutoff-field")).to_be_hidden()
    expect(page.locator(".cutoff")).to_have_count(0)
    page.route("**/v1/search", with_confidence(lambda place: max(0.0, 0.9 - place / 10)))
    page.goto("/?q=red&cutoff=0.75")
    expect(page.locator(".cutoff")).to_have_text("Below this, probably not")
    assert tiles_above_the_line(page) == 2
    expect(first_tile(page).locator(".score")).to_contain_text("90 %")
    page.get_by_role("slider", name="Sure by").fill("40")
    expect(page.locator("#cutoff-value")).to_have_text("40 %")
    assert tiles_above_the_line(page) == 6
    assert page.url.endswith("cutoff=0.4")
    page.get_by_role("slider", name="Sure by").fill("100")

    expect(page.locator(".cutoff")).to_have_text("Probably none of these")
    assert tiles_above_the_line(page) == 0


def test_the_question_mark_shows_every_key(open_page: OpenPage) -> None:
    """Help opens by key and by button, and Escape closes it."""
    page = open_page()
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="How to ask")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("less like this")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Help: how to ask, and the keys").click()

    expect(dialog).to_be_visible()


def test_a_service_that_comes_back_is_noticed(open_page: OpenPage) -> None:
    """The page says that there is no answer and searches again by itself once there is one."""
    page = open_page("/", refusals=True)
    expect(page.locator(".tile").first).to_be_visible()
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("searchbox").fill("green")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No answer")
    expect(page.locator("#status")).to_have_text("Not ready")
    page.unroute("**/v1/**")

    expect_first(page, "green")
    expect(page.locator("#status")).to_contain_text(f"{SHADES + 6} pictures")


def test_a_second_search_loads_no_picture_again_and_moves_nothing(open_page: OpenPage) -> None:
    """Pictures are kept by content; the places of the tiles are known before they load."""
    page = open_page("/?q=red", viewport={"width": 1100, "height": 700})
    expect_first(page, "red")
    page.wait_for_load_state("networkidle")
    assert page.evaluate(SHIFT) < MOST_SHIFT
    loaded = set(page.evaluate(PICTURES_LOADED))
    assert loaded
    address = first_tile(page).locator("img").get_attribute("src") or ""
    assert re.search(r"\?size=(160|320|640)&v=[0-9a-f]{64}$", address)
    page.reload()
    expect_first(page, "red")
    page.wait_for_load_state("networkidle")

    assert loaded.isdisjoint(page.evaluate(PICTURES_LOADED))


def with_confidence(confidence_of: Callable[[int], float]) -> Callable[[Route], None]:
    """Return a route that gives each hit the confidence of its place, as a calibrated model would.

    The encoder of these tests has no calibration, so the answers are the service's but for this.
    """

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        for place, hit in enumerate(body["hits"]):
            hit["confidence"] = confidence_of(place)
        route.fulfill(response=response, body=json.dumps(body))

    return answer


def tiles_above_the_line(page: Page) -> int:
    """Return how many pictures stand above the cut-off line."""
    return int(
        page.evaluate(
            "() => [...document.querySelectorAll('#grid > .tile, #grid > .cutoff')]"
            ".findIndex((one) => one.classList.contains('cutoff'))"
        )
    )


def test_a_filter_that_cannot_be_read_can_be_removed(open_page: OpenPage) -> None:
    """An address cut in the middle: the page says what is wrong and has the way out."""
    page = open_page("/?q=red&filter=%7Bn", refusals=True)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("no JSON object: {n")
    alert.get_by_role("button", name="Remove the filter").click()

    expect_first(page, "red")
