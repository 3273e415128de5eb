"""Marking hits right or wrong while searching: by mouse, by keys, in the details, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.looking import expect_address, expect_first, first_tile
from tests.fakes import picture_bytes
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve six colours that these tests mark; each test has a query of its own."""
    with running(tmp_path_factory.mktemp("judging")) as client:
        add_colours(client)
        yield client


def tile(page: Page, colour: str) -> Locator:
    """Return the tile of a colour."""
    return page.locator(f'.tile[data-id="{colour}"]')


def mark(tile: Locator, word: str) -> Locator:
    """Return the button that says right or wrong of a tile."""
    return tile.locator(f".mark-{word}")


def expect_pressed(button: Locator, *, pressed: bool = True) -> None:
    """Wait until a mark is made, or taken back."""
    expect(button).to_have_attribute("aria-pressed", str(pressed).lower())


def grades(service: httpx.Client, query: str) -> dict[str, int]:
    """Return what the service has stored for a query."""
    found = service.get("/v1/judgements", params={"q": query}).json()["queries"]
    return {mark["item_id"]: mark["grade"] for one in found for mark in one["marks"]}


def test_nothing_can_be_marked_until_the_switch_is_on(open_page: OpenPage) -> None:
    """The switch is in the address, and it stays from search to search."""
    page = open_page("/?q=red")
    expect_first(page, "red")
    expect(page.locator(".mark")).to_have_count(0)
    expect(page.locator("#judging")).to_be_hidden()

    page.get_by_role("switch", name="Judge").check(force=True)

    expect(mark(first_tile(page), "right")).to_be_visible()
    expect_address(page, "/?q=red&judge=1")
    page.locator("#query").fill("green")
    expect_first(page, "green")
    expect(mark(first_tile(page), "wrong")).to_be_visible()
    expect_address(page, "/?q=green&judge=1")
    page.get_by_role("switch", name="Judge").uncheck(force=True)
    expect(page.locator(".mark")).to_have_count(0)


def test_keys_mark_and_take_back(open_page: OpenPage, service: httpx.Client) -> None:
    """R and W on the picture that has the keyboard; the line counts and measures."""
    page = open_page("/?q=blue&judge=1")
    expect_first(page, "blue")
    line = page.locator("#judging-text")
    expect(line).to_contain_text("press again")
    first_tile(page).locator(".tile-open").focus()

    page.keyboard.press("r")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("w")

    expect(line).to_contain_text("1 right, 1 wrong")
    expect(line).to_contain_text("0.50 of the judged")
    expect(line).to_contain_text("R@10 1.00")
    expect_pressed(mark(first_tile(page), "right"))
    assert sorted(grades(service, "blue").values()) == [0, 1]
    page.keyboard.press("w")
    expect(line).to_contain_text("1 right, 0 wrong")
    assert grades(service, "blue") == {"blue": 1}


def test_a_mark_can_be_changed_and_undone(open_page: OpenPage, service: httpx.Client) -> None:
    """Undo goes back step by step to where it began."""
    page = open_page("/?q=white&judge=1")
    expect_first(page, "white")
    line, undo = page.locator("#judging-text"), page.locator("#judging-undo")
    expect(undo).to_be_hidden()
    mark(first_tile(page), "right").click()
    expect(line).to_contain_text("1 right, 0 wrong")
    mark(first_tile(page), "wrong").click()
    expect(line).to_contain_text("0 right, 1 wrong")
    expect_pressed(mark(first_tile(page), "right"), pressed=False)

    undo.click()
    expect(line).to_contain_text("1 right, 0 wrong")
    undo.click()

    expect(line).to_contain_text("press again")
    expect_pressed(mark(first_tile(page), "right"), pressed=False)
    expect(undo).to_be_hidden()
    assert grades(service, "white") == {}


def test_marks_are_there_when_the_query_is_asked_again(
    open_page: OpenPage, service: httpx.Client
) -> None:
    """Whoever opens the link sees them, also where the same query is written otherwise."""
    marks = [{"item_id": "green", "grade": 1}, {"item_id": "red", "grade": 0}]
    assert service.put("/v1/judgements", json={"query": "green -red", "marks": marks}).is_success

    page = open_page("/?q=-red++green&judge=1")

    expect_pressed(mark(tile(page, "green"), "right"))
    expect_pressed(mark(tile(page, "red"), "wrong"))
    expect(page.locator("#judging-text")).to_contain_text("1 right, 1 wrong")


def test_a_mark_made_before_the_stored_ones_have_come_stays(
    open_page: OpenPage, service: httpx.Client
) -> None:
    """The answer that was asked for before the mark adds to it and takes nothing back."""
    marks = [{"item_id": "blue", "grade": 0}]
    assert service.put("/v1/judgements", json={"query": "yellow", "marks": marks}).is_success
    page = open_page()
    held: list[Route] = []
    page.route("**/v1/judgements?*", lambda route: held.append(route))  # noqa: PLW0108 - a function
    with page.expect_request("**/v1/judgements?*"):
        page.goto("/?q=yellow&judge=1")
    expect_first(page, "yellow")
    mark(first_tile(page), "right").click()
    expect(page.locator("#judging-text")).to_contain_text("1 right, 1 wrong")
    held[0].continue_()

    expect_pressed(mark(tile(page, "blue"), "wrong"))
    expect_pressed(mark(first_tile(page), "right"))


def test_the_details_mark_too(open_page: OpenPage, service: httpx.Client) -> None:
    """By button and by key; the tile behind them follows."""
    page = open_page("/?q=black&judge=1")
    expect_first(page, "black")
    first_tile(page).locator(".tile-open").click()
    right = page.locator("#details-marks .mark-right")
    right.click()
    expect_pressed(right)
    expect(page.locator("#judging-text")).to_contain_text("1 right, 0 wrong")

    page.keyboard.press("w")

    expect_pressed(page.locator("#details-marks .mark-wrong"))
    page.keyboard.press("Escape")
    expect_pressed(mark(first_tile(page), "wrong"))
    expect(page.locator("#judging-text")).to_contain_text("0 right, 1 wrong")
    assert grades(service, "black") == {"black": 0}


def test_mode_and_filter_belong_to_the_query(open_page: OpenPage, service: httpx.Client) -> None:
    """What is marked under a filter is no mark of the query without it."""
    page = open_page("/?q=a+red+square&mode=hybrid&filter=%7B%22n%22%3A0%7D&judge=1")
    expect_first(page, "red")
    mark(first_tile(page), "right").click()
    expect(page.locator("#judging-text")).to_contain_text("1 right")

    listed = service.get("/v1/judgements").json()["queries"]

    (found,) = [one for one in listed if one["query"] == "a red square"]
    assert (found["mode"], found["filter"]) == ("hybrid", {"n": {"eq": 0}})
    assert grades(service, "a red square") == {}


def test_a_picture_of_the_user_is_not_judged(open_page: OpenPage, tmp_path: Path) -> None:
    """Nobody could ask it again; the line says so, and there are no buttons."""
    mine = tmp_path / "mine.png"
    mine.write_bytes(picture_bytes("red"))
    page = open_page("/?judge=1")
    expect(page.locator("#judging-text")).to_contain_text("Search for something")

    page.locator("#query-file").set_input_files(mine)

    expect(page.locator("#judging-text")).to_contain_text("nobody could ask it again")
    expect_first(page, "red")
    expect(page.locator(".mark")).to_have_count(0)


def test_a_mark_that_is_refused_is_taken_back(open_page: OpenPage, service: httpx.Client) -> None:
    """The item was deleted meanwhile: the reason is said, and the mark is not shown."""
    picture = {"image": ("gone.png", picture_bytes((200, 200, 40)))}
    assert service.post("/v1/items", files=picture, data={"items": '[{"id": "gone"}]'}).is_success
    page = open_page("/?q=id%3Ared+id%3Agone&judge=1", refusals=True)
    expect(tile(page, "gone")).to_be_visible()
    service.delete("/v1/items/gone")

    mark(tile(page, "gone"), "right").click()

    expect(page.locator("#judging")).to_have_class(re.compile("is-problem"))
    expect(page.locator("#judging-text")).to_contain_text("there is no item 'gone'")
    expect_pressed(mark(tile(page, "gone"), "right"), pressed=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_judge(open_page: OpenPage, service: httpx.Client, scheme: str) -> None:
    """With marks on tiles and in the details axe-core finds nothing serious; here on a phone."""
    marks = [{"item_id": "red", "grade": 1}, {"item_id": "blue", "grade": 0}]
    service.put("/v1/judgements", json={"query": "red blue", "marks": marks})
    page = open_page(
        "/?q=red+blue&judge=1", color_scheme=scheme, viewport={"width": 390, "height": 844}
    )
    expect_pressed(mark(tile(page, "red"), "right"))
    expect(page.locator("#judging-text")).to_contain_text("1 right, 1 wrong")

    assert_accessible(page)
