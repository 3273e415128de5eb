"""The whole product: ``sightline serve`` with the starter model and example pictures, in a browser.

Other tests of the page have a fake encoder and prove each state in detail; these prove that the
parts people use together work together. A page that logs an error or asks another machine fails.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytrec_eval
from playwright.sync_api import Page, expect

from core.measures.trec import read_qrels, read_run
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.labelling import give, give_to_label, save_set, show_tab, use_labels, verdict
from tests.browser.looking import first_tile
from tests.browser.starter_service import ROOT, example_pairs, sightline, starter_service

pytestmark = [pytest.mark.xdist_group("whole_product"), pytest.mark.slow]

LABELS = {"windmill", "castle", "fish", "flower", "dog", "horse", "cow", "goat"}
"""Of the pictures that are served: 56 of them."""
QUERIES = ROOT / "examples" / "queries"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
DROP = """([name, text]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: "image/jpeg" }));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer: data }));
}"""


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, Any]]:
    """Return the pairs that are served."""
    return [pair for pair in example_pairs() if pair["label"] in LABELS]


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[dict[str, Any]]
) -> Iterator[httpx.Client]:
    """Serve some example pictures by a process of its own."""
    with starter_service(tmp_path_factory.mktemp("whole"), pairs) as client:
        yield client


def expect_label(page: Page, label: str, pairs: list[dict[str, Any]]) -> str:
    """Wait until the best hit is a picture of a label, and return its id."""
    names = "|".join(re.escape(pair["id"]) for pair in pairs if pair["label"] == label)
    expect(first_tile(page)).to_have_attribute("data-id", re.compile(f"^({names})$"))
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    return str(first_tile(page).get_attribute("data-id"))


def shown(page: Page) -> list[str]:
    """Return the ids of the pictures that are there, best first."""
    tiles = page.locator(".tile").evaluate_all(
        "(tiles) => tiles.map((tile) => [Number(tile.ariaPosInSet), tile.dataset.id]).sort("
        "(one, other) => one[0] - other[0])"
    )
    return [str(name) for _, name in tiles]


def found(service: httpx.Client, query: str, count: int) -> list[str]:
    """Return the ids of the best hits as the API gives them."""
    hits = service.get("/v1/search", params={"q": query, "k": count}).json()["hits"]
    return [hit["id"] for hit in hits]


def test_words_a_picture_and_terms_find_what_they_should(
    open_page: OpenPage, service: httpx.Client, pairs: list[dict[str, Any]]
) -> None:
    """Typed, dropped, and combined; what is shown is what the API answers."""
    page = open_page()
    page.get_by_role("searchbox").fill("a flower")
    page.keyboard.press("Enter")
    expect_label(page, "flower", pairs)
    expect(first_tile(page).locator(".score")).to_contain_text("%")
    assert shown(page)[:8] == found(service, "a flower", 8)
    page.get_by_role("button", name="Clear the search").click()
    text = base64.b64encode((QUERIES / "windmill.jpg").read_bytes()).decode()
    page.evaluate(DROP, ["windmill.jpg", text])
    expect(page.locator("#query-image")).to_be_visible()
    expect_label(page, "windmill", pairs)

    page.goto("/?q=2:%22a+fish%22+-goldfish")
    expect_label(page, "fish", pairs)
    expect(page.locator("#query-terms li")).to_have_count(2)
    combined = shown(page)[:8]
    assert combined == found(service, '2:"a fish" -goldfish', 8)
    page.get_by_role("button", name="Remove goldfish").click()
    expect(page).to_have_url(re.compile(r"q=2%3A%22a\+fish%22$"))
    expect(page.locator("#query-terms li")).to_have_count(1)


def test_a_list_goes_on_and_filters_narrow_it(
    open_page: OpenPage, pairs: list[dict[str, Any]]
) -> None:
    """The second page comes by scrolling; a filter of the dialog counts what the metadata says."""
    page = open_page("/?q=a+castle")
    expect_label(page, "castle", pairs)
    first_tile(page).locator(".tile-open").focus()
    page.keyboard.press("End")
    expect(page.locator('.tile[aria-posinset="56"]')).to_be_attached()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator("#filter-fields summary", has_text="category").click()
    page.get_by_role("checkbox", name="building").check()
    page.get_by_role("button", name="Done").click()

    buildings = [pair for pair in pairs if pair["metadata"]["category"] == "building"]
    expect(page.locator(".tile")).to_have_count(len(buildings))
    expect(page.locator("#filter-chips")).to_contain_text("building")
    expect_label(page, "castle", pairs)


def test_a_hit_is_reached_opened_and_left_by_keyboard_alone(
    open_page: OpenPage, pairs: list[dict[str, Any]]
) -> None:
    """Box, picture, details, more like this; each is an address, and back leads through them."""
    page = open_page()
    expect(first_tile(page)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("a castle")
    page.keyboard.press("Enter")
    best = expect_label(page, "castle", pairs)
    page.keyboard.press("ArrowDown")
    expect(first_tile(page).locator(".tile-open")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#details-why")).to_contain_text("a castle")
    expect(page.locator("#details-facts")).to_contain_text("building")
    expect(page.locator("#details-neighbours img").first).to_be_visible()
    expect(page).to_have_url(re.compile(f"item={re.escape(best)}$"))
    address = page.url
    page.keyboard.press("Escape")
    expect(page.locator("#details")).to_be_hidden()
    expect(first_tile(page).locator(".tile-open")).to_be_focused()
    page.keyboard.press("m")
    expect(page.get_by_role("searchbox")).to_have_value(f"+id:{best}")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("a castle")

    page.goto(address)
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.locator("#details-image")).to_have_js_property("complete", value=True)


def test_pictures_are_labelled_and_a_label_set_learns(
    open_page: OpenPage,
) -> None:
    """Words label at once; saved as a set they are taught and calibrated, with before and after."""
    page = open_page("/?view=label")
    use_labels(page, "dog", "cow", "penguin")
    penguins = [Path(pair["image"]) for pair in example_pairs() if pair["label"] == "penguin"]
    give(page, penguins[:1])
    expect(verdict(page, penguins[0].name)).to_have_text("penguin")
    save_set(page, "animals")
    show_tab(page, "Teach")
    for label in ("dog", "cow", "penguin"):
        paths = [Path(pair["image"]) for pair in example_pairs() if pair["label"] == label]
        give_to_label(page, label, paths)
    page.get_by_role("button", name="Start").click()

    outcome = page.locator("#teach-outcome")
    expect(outcome.get_by_role("heading", name="What the examples did")).to_be_visible()
    expect(outcome).to_contain_text("right by words alone")
    expect(outcome.get_by_role("heading", name="What calibrating did")).to_be_visible()
    expect(page.locator("#label-facts")).to_contain_text("taught by")


def test_a_folder_is_added_but_for_its_broken_file(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """The refusal names file and reason; the others are found by what they show at once."""
    penguins = [pair for pair in example_pairs() if pair["label"] == "penguin"]
    folder = tmp_path / "penguins"
    folder.mkdir()
    for pair in penguins:
        shutil.copy(pair["image"], folder / f"{pair['id']}.jpg")
    whole = Path(penguins[0]["image"]).read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    page = open_page("/?view=add")
    page.get_by_role("textbox", name="Fields for all").fill("kind=penguin")
    page.locator("#add-folder").set_input_files(str(folder))
    expect(page.locator("#add-progress-title")).to_have_text("Done")
    expect(page.locator("#add-counts")).to_contain_text(f"{len(penguins)} added")
    expect(page.locator("#add-refused-list li")).to_have_count(1)
    expect(page.locator("#add-refused-list")).to_contain_text("cut.jpg")
    expect(page.locator("#add-refused-list code")).to_have_text("image_truncated")

    page.locator("#tab-search").click()
    page.get_by_role("searchbox").fill("a penguin")
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(first_tile(page).locator(".score")).to_be_visible()
    best = service.get(f"/v1/items/{first_tile(page).get_attribute('data-id')}").json()
    assert best["metadata"]["kind"] == "penguin"


def test_marks_become_qrels_that_others_measure_the_same(
    open_page: OpenPage, pairs: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Marked on the hits, shown by Quality, exported: trec_eval gives the number of the page."""
    right = {pair["id"] for pair in pairs if pair["label"] == "castle"}
    page = open_page("/?q=an+old+castle&judge=1")
    expect_label(page, "castle", pairs)
    marks = {name: int(name in right) for name in shown(page)[:10]}
    for name, grade in marks.items():
        button = page.locator(f'.tile[data-id="{name}"] .mark-{"right" if grade else "wrong"}')
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
    precision = sum(marks.values()) / 10
    expect(page.locator("#judging-text")).to_contain_text(f"P@10 {precision:.2f}")
    page.locator("#tab-quality").click()
    row = page.locator("#judged-rows tr", has_text="an old castle").locator("td")
    expect(row.nth(2)).to_have_text(f"{precision:.2f}")
    for name in ("Qrels", "Run"):
        with page.expect_download(timeout=TIMEOUT_MS) as coming:
            page.get_by_role("link", name=name, exact=True).click()
        coming.value.save_as(tmp_path / name)

    qrels, run = read_qrels(tmp_path / "Qrels"), read_run(tmp_path / "Run")
    assert list(qrels.values()) == [marks]
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"P.10"}).evaluate(run)
    assert [one["P_10"] for one in theirs.values()] == [pytest.approx(precision)]
    printed = sightline(
        "evaluate", "score", "--qrels", tmp_path / "Qrels", "--run", tmp_path / "Run"
    )
    assert f"{precision:.3f}" in printed


def test_every_view_is_for_everyone(open_page: OpenPage) -> None:
    """In the dark, on a phone, without motion: axe-core finds nothing grave; mirrored, it fits."""
    page = open_page(color_scheme="dark", reduced_motion="reduce", **PHONE)
    ready = {
        "/?q=a+fish&judge=1": ".tile .mark",
        "/?view=label": ".label-verdict",
        "/?view=add": "#add-pick-folder:enabled",
        "/?view=quality": "#judged-found:visible, #judged-empty:visible",
        "/?view=health": "#health-routes tr",
    }
    for address, sign in ready.items():
        page.goto(address)
        expect(page.locator(sign).first).to_be_visible()
        assert_accessible(page)
        page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
        assert page.evaluate(WIDER) <= 0, address
