"""The add view in a real browser, against a real service of its own for each test."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from index.gallery import Gallery
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.looking import expect_address
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

ITEMS = "**/v1/items"
DROP = """(files) => {
    const data = new DataTransfer();
    for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer: data }));
}"""

NOTE_PICKS = """() => {
    window.picks = 0;
    document.getElementById("add-files").addEventListener("click", (event) => {
        event.preventDefault();
        window.picks += 1;
    });
}"""


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve an empty gallery that the test may fill; the parameter ``True`` makes it read-only."""
    Gallery.open(tmp_path / "served" / "gallery", FakeEncoder()).close()
    with running(tmp_path / "served", read_only=getattr(request, "param", False)) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder: red and blue as cats, green as a dog, and three files that are no pictures."""
    photos = tmp_path / "photos"
    for name in ("cats", "dogs"):
        (photos / name).mkdir(parents=True)
    (photos / "cats" / "red.png").write_bytes(picture_bytes("red"))
    (photos / "cats" / "blue.png").write_bytes(picture_bytes("blue"))
    (photos / "dogs" / "\u0635\u0648\u0631\u0629.png").write_bytes(picture_bytes("green"))
    cut = picture_bytes("white", size=(400, 300), format="JPEG")[:700]
    (photos / "cats" / "cut.jpg").write_bytes(cut)
    (photos / "cats" / "notes.md").write_text("no picture")
    return photos


def pick(page: Page, *paths: Path) -> None:
    """Pick pictures from the dialog for files."""
    page.locator("#add-files").set_input_files(list(paths))


def wait_for(page: Page, condition: Callable[[], bool]) -> None:
    """Let the browser go on until something has happened in this process."""
    until = time.monotonic() + TIMEOUT_MS / 1000
    while not condition():
        assert time.monotonic() < until
        page.wait_for_timeout(20)


def pictures(folder: Path, *names: str) -> list[Path]:
    """Write one picture of each colour."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.png").write_bytes(picture_bytes(name))
    return [folder / f"{name}.png" for name in names]


def expect_done(page: Page, *counts: str) -> None:
    """Wait until all is done, with these counts."""
    expect(page.locator("#add-progress-title")).to_have_text("Done")
    expect(page.locator("#add-counts li")).to_have_text([re.compile(one) for one in counts])


def stored(client: httpx.Client) -> list[dict[str, object]]:
    """Return the items of the gallery by caption, then id."""
    items: list[dict[str, object]] = client.get("/v1/items").json()["items"]
    return sorted(items, key=lambda item: (str(item["caption"]), str(item["id"])))


def test_an_empty_gallery_leads_here(open_page: OpenPage) -> None:
    """The search of a new gallery has one thing to offer."""
    page = open_page()
    page.get_by_role("button", name="Add pictures").click()

    expect(page.get_by_role("heading", name="Add pictures")).to_be_visible()
    expect_address(page, "/?view=add")


def test_one_bad_picture_of_a_folder_is_told_and_harms_no_other(
    open_page: OpenPage, service: httpx.Client, folder: Path
) -> None:
    """The others are in and can be found; the reason stands in words and as a code."""
    page = open_page("/?view=add")
    page.locator("#add-folder").set_input_files(str(folder))

    expect_done(page, "^3 added", "^1 refused")
    expect(page.locator("#add-refused-list li")).to_have_count(1)
    expect(page.locator("#add-refused-list")).to_contain_text("photos/cats/cut.jpg")
    expect(page.locator("#add-refused-list")).to_contain_text("cut short")
    expect(page.locator("#add-refused-list code")).to_have_text("image_truncated")
    expect(page.locator("#add-left-alone")).to_contain_text("One file")
    expect(page.locator("#add-coverage")).to_have_text("3 pictures (+3), all can be found")
    expect(page.locator("#status")).to_contain_text("3 pictures")
    expect(page.locator("#add-recent-list img")).to_have_count(3)
    labels = sorted(str(item["metadata"]) for item in stored(service))
    assert labels == ["{'label': 'cats'}", "{'label': 'cats'}", "{'label': 'dogs'}"]
    page.get_by_role("link", name="See them").click()
    expect(page.locator(".tile")).to_have_count(3)
    page.go_back()
    expect_done(page, "^3 added", "^1 refused")


def test_a_dropped_folder_is_walked_through(
    open_page: OpenPage, service: httpx.Client, folder: Path
) -> None:
    """A drop as the system makes it: folders inside, beside a single picture."""
    single = folder.parent / "single.png"
    single.write_bytes(picture_bytes("black"))
    page = open_page("/?view=add")
    expect(page.locator("#add-drop")).to_be_visible()
    browser = page.context.new_cdp_session(page)
    dragged = {"items": [], "files": [str(folder), str(single)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": dragged})
        if kind == "dragOver":
            expect(page.locator("#drop-text")).to_have_text("Drop to add")

    expect_done(page, "^4 added", "^1 refused")
    expect(page.locator("#drop-overlay")).to_be_hidden()
    expect(page.locator("#add-refused-list")).to_contain_text("photos/cats/cut.jpg")
    assert len(stored(service)) == 4


def test_what_is_there_already_is_not_added_again(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """Equal bytes are one item, whatever their names are."""
    (one,) = pictures(tmp_path, "red")
    other = tmp_path / "other name.png"
    other.write_bytes(one.read_bytes())
    page = open_page("/?view=add")
    pick(page, one)
    expect_done(page, "^1 added")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#add-progress")).to_be_hidden()
    pick(page, other)

    expect_done(page, "^1 already there")
    assert len(stored(service)) == 1


def test_files_beside_the_pictures_hold_their_captions(
    open_page: OpenPage, service: httpx.Client
) -> None:
    """A text, an object and a table; what they say besides becomes metadata."""
    page = open_page("/?view=add")
    table = 'file,caption,id,price\r\nblue.png,"a ""blue"" square, big",b1,12.5\r\ngone.png,x,,\r\n'
    files = {
        "red.png": picture_bytes("red"),
        "red.txt": b"a red square\nsecond line\n",
        "green.png": picture_bytes("green"),
        "green.json": b'{"caption": "a green square", "year": 2024}',
        "blue.png": picture_bytes("blue"),
        "captions.csv": table.encode(),
        "broken.jsonl": b"{",
    }
    expect(page.locator("#add-drop")).to_be_visible()
    page.evaluate(DROP, [[name, list(data)] for name, data in files.items()])

    expect_done(page, "^3 added")
    expect(page.locator("#add-notice")).to_contain_text("broken.jsonl")
    assert [(item["caption"], item["metadata"]) for item in stored(service)] == [
        ('a "blue" square, big', {"price": 12.5}),
        ("a green square", {"year": 2024}),
        ("a red square", {"captions": ["a red square", "second line"]}),
    ]
    assert stored(service)[0]["id"] == "b1"


def test_names_as_captions_and_fields_for_all(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """Fields that are none are told before anything is sent; mended, the same pictures go."""
    path = tmp_path / "a_red-square.png"
    path.write_bytes(picture_bytes("red"))
    page = open_page("/?view=add")
    page.get_by_role("radio", name="From the names").check()
    page.get_by_label("Fields for all").fill("year=2024, oops")
    pick(page, path)
    expect(page.locator("#add-notice")).to_contain_text('"oops" is not name=value')
    assert stored(service) == []
    page.get_by_label("Fields for all").fill("year=2024, place=New York, sold=true")
    page.get_by_role("button", name="Add them now").click()

    expect_done(page, "^1 added")
    expect(page.locator("#add-notice")).to_be_hidden()
    (item,) = stored(service)
    assert item["caption"] == "a red square"
    assert item["metadata"] == {"year": 2024, "place": "New York", "sold": True}


def test_a_full_service_and_a_lost_connection_are_waited_for(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """The same batch is sent again under the same key, as often as it takes, and added once."""
    page = open_page("/?view=add", refusals=True)
    keys: list[str] = []

    def answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            error = {"message": "the service is full", "code": "busy", "type": "busy"}
            headers = {"retry-after": "0"}
            route.fulfill(status=429, json={"error": error}, headers=headers)
        elif len(keys) == 2:
            route.abort()
        elif len(keys) == 3:
            # It arrives, but its answer is lost.
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route(ITEMS, answer)
    pick(page, *pictures(tmp_path, "red", "blue"))

    expect_done(page, "^2 added")
    expect(page.locator("#add-trouble")).to_be_hidden()
    assert keys == [keys[0]] * 4
    assert len(stored(service)) == 2


def test_pause_stop_and_try_again(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """What is under way is finished when paused and dropped when stopped; the rest can go later."""
    page = open_page("/?view=add", refusals=True)
    held: list[Route] = []
    page.route(ITEMS, lambda route: held.append(route))  # noqa: PLW0108 - it needs a function
    pick(page, *pictures(tmp_path, "red", "blue"))
    expect(page.locator("#add-counts")).to_contain_text("2 sending")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#add-progress-title")).to_have_text("Paused")
    pick(page, *pictures(tmp_path, "green"))
    expect(page.locator("#add-counts")).to_contain_text("1 waiting")
    wait_for(page, lambda: bool(held))
    held[0].continue_()
    expect(page.locator("#add-counts")).to_contain_text("2 added")
    expect(page.locator("#add-counts")).to_contain_text("1 waiting")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#add-progress-title")).to_have_text("Stopped")
    expect(page.locator("#add-counts")).to_contain_text("1 not sent")
    assert len(stored(service)) == 2
    page.unroute(ITEMS)
    page.get_by_role("button", name="Try the rest again").click()

    expect_done(page, "^3 added")
    assert len(stored(service)) == 3


def test_stopping_drops_what_is_under_way(open_page: OpenPage, tmp_path: Path) -> None:
    """Nobody waits for it any more, and the view says that it was not sent."""
    page = open_page("/?view=add", refusals=True)
    page.route(ITEMS, lambda _: None)
    pick(page, *pictures(tmp_path, "red"))
    expect(page.locator("#add-counts")).to_contain_text("1 sending")
    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#add-progress-title")).to_have_text("Stopped")
    expect(page.locator("#add-counts")).to_have_text("1 not sent")


def test_a_batch_that_is_refused_as_a_whole_is_halved(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """The picture whose table row has an impossible id stands alone in the end."""
    paths = pictures(tmp_path, "red", "green", "blue")
    table = tmp_path / "captions.csv"
    table.write_text(f"file,caption,id\ngreen.png,x,{'i' * 600}\n")
    page = open_page("/?view=add", refusals=True)
    pick(page, *paths, table)

    expect_done(page, "^2 added", "^1 refused")
    expect(page.locator("#add-refused-list")).to_contain_text("green.png")
    assert len(stored(service)) == 2


def test_a_list_of_many_files_draws_only_those_in_sight(
    open_page: OpenPage, tmp_path: Path
) -> None:
    """All of them are counted; scrolling shows the last one."""
    paths = []
    for number in range(150):
        paths.append(tmp_path / f"{number:03}.png")
        paths[-1].write_bytes(picture_bytes((number, 80, 160), size=(8, 8)))
    page = open_page("/?view=add")
    pick(page, *paths)

    expect_done(page, "^150 added")
    expect(page.locator("#add-see")).to_have_text("See them")
    page.get_by_text("Every file").click()
    expect(page.locator("#add-all-rows li").first).to_contain_text("000.png")
    assert page.locator("#add-all-rows li").count() < 40
    page.locator("#add-all-list").evaluate("(area) => area.scrollTo(0, area.scrollHeight)")
    expect(page.locator("#add-all-rows li").last).to_contain_text("149.png")
    expect(page.locator("#add-all-rows li").last).to_have_attribute("aria-posinset", "150")


def test_the_view_is_usable_by_keyboard_on_a_phone_in_the_dark_and_by_everybody(
    open_page: OpenPage, folder: Path
) -> None:
    """axe-core finds nothing serious, nothing is wider than the screen, names keep their side."""
    small = {"width": 360, "height": 740}
    page = open_page("/?view=add", viewport=small, color_scheme="dark")
    expect(page.locator("#add-accepted")).to_contain_text("JPEG")
    page.evaluate(NOTE_PICKS)
    page.locator("#add-pick-files").focus()
    # No file chooser is waited for: playwright may begin to listen after it has come.
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.picks === 1")
    pick(page, *sorted(folder.glob("*/*.[jp]*")))
    expect_done(page, "^3 added", "^1 refused")
    expect(page.locator("#add-recent-list img").first).to_be_visible()
    page.locator("#add-all summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#add-all-rows bdi").last).to_have_text("\u0635\u0648\u0631\u0629.png")

    assert page.evaluate("document.documentElement.scrollWidth") <= small["width"]
    assert_accessible(page)


@pytest.mark.parametrize("service", [True], indirect=True)
def test_a_read_only_service_says_so_at_once(open_page: OpenPage) -> None:
    """There is nothing to drop on, and dropping does nothing."""
    page = open_page("/?view=add")

    expect(page.locator("#add-notice")).to_contain_text("read-only")
    expect(page.locator("#add-controls")).to_be_hidden()
    page.evaluate(DROP, [["red.png", list(picture_bytes("red"))]])
    expect(page.locator("#add-progress")).to_be_hidden()
    expect_address(page, "/?view=add")
