"""The search view for everyone: screens, colours, motion, directions of writing, screen readers."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.looking import expect_first, first_tile

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

HEBREW = "\u05d7\u05ea\u05d5\u05dc \u05d0\u05d3\u05d5\u05dd"
"""A red cat."""
FILTERED = "/?q=red+-green&filter=%7B%22not%22%3A%7B%22n%22%3A5%7D%7D"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
EDGES = """(selector) => {
    const { left, right } = document.querySelector(selector).getBoundingClientRect();
    return [Math.round(left), Math.round(right)];
}"""
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

NOTE_WORDS = """(selector) => {
    const node = document.querySelector(selector);
    window.words = [];
    const note = () => window.words.push(node.textContent);
    const what = { childList: true, characterData: true, subtree: true };
    new MutationObserver(note).observe(node, what);
}"""
"""Keep what an element says: a word that stands for a moment may be missed by looking."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_grave_is_wrong_with_a_search(scheme: str, open_page: OpenPage) -> None:
    """Results with chips and filters, then the details of a hit, in both themes."""
    page = open_page(FILTERED, color_scheme=scheme)
    expect_first(page, "red")
    assert_accessible(page)
    first_tile(page).locator(".tile-open").click()
    expect(page.locator("#details-neighbours img").first).to_be_visible()

    assert_accessible(page)


def test_nothing_grave_is_wrong_with_the_dialogs(open_page: OpenPage) -> None:
    """The filters with their values, and the help."""
    page = open_page()
    expect(page.locator(".tile").first).to_be_visible()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator("#filter-fields summary").first.click()
    expect(page.locator(".filter-choices input").first).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Done").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="How to ask")).to_be_visible()

    assert_accessible(page)


def test_nothing_grave_is_wrong_on_a_phone_and_when_nothing_is_found(open_page: OpenPage) -> None:
    """The tabs lie at the lower edge; an empty answer has a way out."""
    page = open_page("/?q=scarlet&mode=keyword", **PHONE)
    expect(page.get_by_role("alert")).to_contain_text("Nothing found")

    assert_accessible(page)


def test_what_is_wrong_is_found(open_page: OpenPage) -> None:
    """The check itself fails where a picture has no words for those who cannot see it."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    page.evaluate("() => document.querySelector('.tile img').removeAttribute('alt')")
    page.evaluate("() => document.querySelector('.brand').prepend(new Image())")

    with pytest.raises(AssertionError, match="image-alt"):
        assert_accessible(page)


def test_the_smallest_phone_reaches_every_view(open_page: OpenPage) -> None:
    """At 360 pixels all five tabs are in the window, none cut in two, and nothing is wider."""
    page = open_page("/?q=red+-green", **PHONE)
    expect_first(page, "red")
    tabs = page.locator(".tabs a")
    expect(tabs).to_have_count(5)
    for tab in tabs.all():
        expect(tab).to_be_in_viewport(ratio=1)
        box = tab.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44

    assert page.evaluate(WIDER) <= 0


@pytest.mark.parametrize("width", [640, 1280, 3440])
def test_any_width_is_filled_and_none_is_exceeded(width: int, open_page: OpenPage) -> None:
    """From 1280 pixels at 200 % (640 of CSS) to the widest screen, rows end at the edge."""
    page = open_page("/?q=red", viewport={"width": width, "height": 800})
    expect_first(page, "red")
    left, right = page.evaluate(EDGES, "#grid")
    first = page.evaluate(EDGES, ".tile")
    ends = page.locator(".tile").evaluate_all(
        "(tiles) => tiles.map((tile) => Math.round(tile.getBoundingClientRect().right))"
    )

    assert page.evaluate(WIDER) <= 0
    assert first[0] == left
    assert abs(max(ends) - right) <= 1


def test_a_page_from_right_to_left_is_mirrored(open_page: OpenPage) -> None:
    """The first picture stands at the right, the arrow to the left goes on, names at the right."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
    grid = page.evaluate(EDGES, "#grid")
    assert page.evaluate(EDGES, ".tile")[1] == grid[1]
    assert page.evaluate(EDGES, ".brand")[0] > page.evaluate(EDGES, "#status")[1]
    first_tile(page).locator(".tile-open").focus()
    page.keyboard.press("ArrowLeft")

    expect(page.locator(".tile[aria-posinset='2'] .tile-open")).to_be_focused()
    assert page.evaluate(WIDER) <= 0


def test_words_from_right_to_left_stand_so_in_a_page_from_left_to_right(
    open_page: OpenPage,
) -> None:
    """Captions, chips and values take their direction from their own letters."""
    page = open_page()
    page.route("**/v1/search", with_caption(HEBREW))
    page.goto(f"/?q={HEBREW}+-green")
    expect_first(page, "red")
    direction = "(node) => getComputedStyle(node).direction"
    assert page.locator(".tile-caption").first.evaluate(direction) == "rtl"
    assert page.locator("#query").evaluate(direction) == "rtl"
    assert page.locator("#query-terms bdi").first.evaluate(direction) == "rtl"
    first_tile(page).locator(".tile-open").click()
    expect(page.locator("#details-caption")).to_have_text(HEBREW)

    assert page.locator("#details-caption").evaluate(direction) == "rtl"
    assert page.locator("html").evaluate(direction) == "ltr"


def test_who_wants_no_motion_gets_none(open_page: OpenPage) -> None:
    """No transition and no animation lasts."""
    page = open_page("/?q=red", reduced_motion="reduce")
    expect_first(page, "red")
    durations = page.evaluate(
        "() => [...document.querySelectorAll('body *')].flatMap((node) => {"
        " const { transitionDuration, animationDuration } = getComputedStyle(node);"
        " return `${transitionDuration},${animationDuration}`.split(',').map(parseFloat); })"
    )

    assert max(durations) == 0


def test_forced_colours_still_tell_what_is_chosen(open_page: OpenPage) -> None:
    """Where backgrounds are taken away, the tab and the mode have an outline instead."""
    page = open_page("/?q=red", forced_colors="active")
    expect_first(page, "red")
    outline = "(node) => getComputedStyle(node).outlineStyle"

    assert page.locator(".tabs a[aria-current]").evaluate(outline) == "solid"
    assert page.locator(".tabs a").last.evaluate(outline) == "none"
    chosen = page.locator(".mode-switch input:checked + span")
    assert chosen.evaluate(outline) == "solid"


def test_joint_filters_are_one_chip_in_words(open_page: OpenPage) -> None:
    """What only an address can say is shown, and its cross takes it out."""
    joint = {"or": [{"n": {"lt": 2}}, {"not": {"n": 3}, "@id": "blue"}]}
    page = open_page(f"/?q=red&filter={json.dumps(joint)}")
    expect_first(page, "red")
    expect(page.locator("#filter-chips li")).to_have_text(["n < 2 or (not n 3 and @id blue)"])
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_role("button", name=re.compile("^Remove the filter n < 2")).click()

    expect(page.locator("#filter-chips")).to_be_hidden()
    expect(page.locator(".tile")).not_to_have_count(3)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("/?q=red", "cosine between this picture and \u201cred\u201d"),
        ("/?q=red&mode=keyword", "BM25"),
        ("/?q=red&mode=hybrid", re.compile("what it shows.*place 1.*its words.*place 1")),
        ("/?q=red+-green", re.compile(r"red.*\+.*green")),
    ],
)
def test_every_mode_says_why(address: str, why: str | re.Pattern[str], open_page: OpenPage) -> None:
    """The parts of the score, in the words of the mode, and no more than is known."""
    page = open_page(address)
    expect_first(page, "red")
    first_tile(page).locator(".tile-open").click()

    expect(page.locator("#details-why")).to_contain_text(why)


def test_a_search_is_copied_as_a_link(open_page: OpenPage) -> None:
    """The link holds query and mode."""
    permissions = ["clipboard-read", "clipboard-write"]
    page = open_page("/?q=red&mode=hybrid", permissions=permissions)
    expect_first(page, "red")
    page.evaluate(NOTE_WORDS, "#search-copy-text")
    page.locator("#search-copy").click()
    page.wait_for_function("() => window.words.includes('Copied')")

    copied = page.evaluate("navigator.clipboard.readText()")
    assert str(copied).endswith("/?q=red&mode=hybrid")


def with_caption(caption: str) -> object:
    """Return a route that gives each hit a caption; the answers are the service's but for this."""

    def answer(route: Route) -> None:
        request = json.loads(route.request.post_data or "{}")
        response = route.fetch(post_data=json.dumps({**request, "query": "red -green"}))
        body = response.json()
        for hit in body["hits"]:
            hit["caption"] = caption
        route.fulfill(response=response, body=json.dumps(body))

    return answer
