"""The search view in a real browser, against a real service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from core.errors import QueryError
from index.query import parse_query
from tests.browser.conftest import SHADES, OpenPage
from tests.browser.looking import expect_address, expect_first, first_picture_is_drawn, first_tile
from tests.fakes import picture_bytes

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

QUERIES = (
    "a red car -toy 2:vintage +id:a17 today",
    '-0.5:"black and white" x',
    "plain words only",
    'a\\-b id:"x y" .5:z',
    "1:2:3",
    "",
    '"not closed',
    "- nothing",
)
DROP = """([bytes, kind]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "mine.png", { type: "image/png" }));
    const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
    const make = kind === "paste" ? ClipboardEvent : DragEvent;
    document.body.dispatchEvent(new make(kind, options));
}"""


def test_the_start_shows_the_gallery_and_what_is_served(open_page: OpenPage) -> None:
    """A newcomer sees pictures and example queries before having typed anything."""
    page = open_page()

    expect(page.locator(".tile").first).to_be_visible()
    expect(page.locator("#status")).to_contain_text(f"{SHADES + 6} pictures")
    expect(page.locator("#status")).to_contain_text("fake")
    expect(page.get_by_role("button", name="musical instrument", exact=True)).to_be_visible()
    assert first_picture_is_drawn(page)


def test_words_find_pictures(open_page: OpenPage) -> None:
    """Typing words and Enter shows thumbnails, best first, with caption and score."""
    page = open_page()
    page.get_by_role("searchbox").fill("a red car")
    page.keyboard.press("Enter")

    expect(first_tile(page).locator("img")).to_have_attribute("alt", "a red square")
    expect(first_tile(page).locator(".score")).to_have_text(re.compile(r"^1\.000|^0\.9\d\d"))
    expect(page.locator("#summary")).to_have_text(re.compile(r"^[34]\d shown . [\d.]+ ms . exact$"))
    assert first_picture_is_drawn(page)
    expect_address(page, "/?q=a+red+car")
    expect(page).to_have_title("a red car - Sightline")


def test_results_follow_the_typing(open_page: OpenPage) -> None:
    """No Enter is needed, and the letters of one query are one step to go back to."""
    page = open_page()
    page.get_by_role("searchbox").press_sequentially("blue")
    expect_first(page, "blue")
    page.get_by_role("searchbox").press_sequentially(" sea")
    expect(page).to_have_url(re.compile(r"q=blue\+sea$"))
    page.go_back()

    expect_address(page, "/")
    expect(page.locator("#results-title")).to_have_text("In the gallery")


def test_an_address_can_be_shared(open_page: OpenPage) -> None:
    """Opening an address shows the same query and the same pictures."""
    page = open_page("/?q=green")

    expect_first(page, "green")
    expect(page.get_by_role("searchbox")).to_have_value("green")


def test_the_back_button_returns_to_the_query_before(open_page: OpenPage) -> None:
    """More like this is a query of its own; back leads to the words."""
    page = open_page("/?q=yellow")
    expect_first(page, "yellow")
    tile = page.locator(".tile[data-id=red]")
    tile.hover()
    tile.get_by_role("button", name="More like this: a red square").click()
    expect_first(page, "red")
    expect_address(page, "/?q=%2Bid%3Ared")
    page.go_back()

    expect_first(page, "yellow")
    expect(page.get_by_role("searchbox")).to_have_value("yellow")


def test_parts_of_a_query_can_be_taken_out(open_page: OpenPage) -> None:
    """Each part is a chip, and its cross removes it from the query."""
    page = open_page("/?q=red+-blue+2:white")
    expect(page.locator("#query-terms li")).to_have_text(["red", "\u2212blue", "2\u00d7white"])
    page.get_by_role("button", name="Remove blue").click()

    expect(page.get_by_role("searchbox")).to_have_value("red 2:white")
    expect(page.locator("#query-terms li")).to_have_text(["red", "2\u00d7white"])


def test_chips_show_what_the_service_understands(open_page: OpenPage) -> None:
    """The page cuts a query exactly as the service does; an incomplete one has no chips."""
    page = open_page()
    shown = page.evaluate(
        "(queries) => import('/static/search/terms.js').then(({ parseTerms }) =>"
        " queries.map((query) =>"
        " parseTerms(query).map(({ text, weight, kind }) => [text, weight, kind])))",
        QUERIES,
    )

    assert shown == [understood(query) for query in QUERIES]


def test_a_picked_picture_finds_its_like(open_page: OpenPage, tmp_path: Path) -> None:
    """A picture is a query, alone or with words, until its cross is pressed."""
    mine = tmp_path / "mine.png"
    mine.write_bytes(picture_bytes("green", size=(50, 30)))
    page = open_page("/")
    page.locator("#query-file").set_input_files(mine)
    expect_first(page, "green")
    page.get_by_role("searchbox").fill("-green 3:red")
    page.keyboard.press("Enter")
    expect_first(page, "red")
    page.get_by_role("button", name="Remove the picture mine.png").click()

    expect(page.locator("#query-image")).to_be_hidden()
    expect_first(page, "red")


def test_a_dropped_picture_is_a_query(open_page: OpenPage) -> None:
    """While a file is over the page it says what dropping does; dropping searches."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    data = list(picture_bytes("blue"))
    page.evaluate(DROP, [data, "dragenter"])
    expect(page.get_by_text("Drop to search with this picture")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    page.evaluate(DROP, [data, "drop"])

    expect(page.get_by_text("Drop to search with this picture")).to_be_hidden()
    expect_first(page, "blue")


def test_a_pasted_picture_is_a_query(open_page: OpenPage) -> None:
    """A screenshot goes from the clipboard into the search."""
    page = open_page("/")
    page.evaluate(DROP, [list(picture_bytes("yellow")), "paste"])

    expect_first(page, "yellow")
    expect(page.get_by_role("img", name="Your picture mine.png")).to_be_visible()


def test_a_file_that_is_no_picture_is_refused_in_the_words_of_the_service(
    open_page: OpenPage, tmp_path: Path
) -> None:
    """The page shows the message of the service and offers to try again."""
    mine = tmp_path / "notes.txt"
    mine.write_text("not a picture")
    page = open_page("/", refusals=True)
    page.locator("#query-file").set_input_files(mine)

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The service could not answer this")
    expect(alert).to_contain_text("format")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(0)


def test_an_unknown_picture_in_the_query_is_named(open_page: OpenPage) -> None:
    """The error names the id that is not in the gallery."""
    page = open_page("/?q=%2Bid%3Anowhere", refusals=True)

    expect(page.get_by_role("alert")).to_contain_text("nowhere")


def test_a_slow_answer_does_not_replace_a_newer_one(open_page: OpenPage) -> None:
    """The answer to a query that was typed over is thrown away, whenever it comes."""
    page = open_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "red" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/search", hold)
    box = page.get_by_role("searchbox")
    box.fill("red")
    with page.expect_request("**/v1/search"):
        page.keyboard.press("Enter")
    box.fill("blue")
    page.keyboard.press("Enter")
    expect_first(page, "blue")
    for route in held:
        route.abort()

    expect_first(page, "blue")
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("path", ["/?q=red+-blue", "/?view=label", "/?item=red"])
def test_a_phone_shows_everything_without_scrolling_sideways(
    path: str, open_page: OpenPage
) -> None:
    """At 390 pixels nothing is wider than the screen."""
    page = open_page(path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page.locator("#status")).to_contain_text("pictures")
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_is_dark(open_page: OpenPage) -> None:
    """The page follows the theme of the system."""
    ground = "getComputedStyle(document.body).backgroundColor"

    assert open_page(color_scheme="light").evaluate(ground) == "rgb(250, 249, 246)"
    assert open_page(color_scheme="dark").evaluate(ground) == "rgb(19, 19, 17)"


def understood(query: str) -> list[list[object]]:
    """Return the parts that the service's own parser finds; none where it refuses the query."""
    try:
        terms = parse_query(query)
    except QueryError:
        return []
    return [
        [term.text or term.image_id, term.weight, "id" if term.image_id else "text"]
        for term in terms
    ]
