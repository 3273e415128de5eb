"""Teaching and calibrating a label set in the label view: before and after in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.labelling import (
    card,
    give_to_label,
    shades,
    show_tab,
    use_labels,
    verdict,
)
from tests.fakes import picture_bytes
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

PURPLE, BROWN = (150, 20, 150), (120, 70, 20)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a gallery whose label sets these tests may teach; each has a set of its own."""
    with running(tmp_path_factory.mktemp("teaching")) as client:
        add_colours(client)
        yield client


def saved(service: httpx.Client, name: str, *labels: str) -> None:
    """Save a label set past the page."""
    body = {"name": name, "labels": [*labels], "template_set": "name"}
    service.post("/v1/label-sets", json=body).raise_for_status()


def near(folder: Path, name: str, rgb: tuple[int, int, int], count: int) -> list[Path]:
    """Write pictures near a colour that has no name."""
    red, green, blue = rgb
    paths = [folder / f"{name}-{place}.png" for place in range(count)]
    for place, path in enumerate(paths):
        path.write_bytes(picture_bytes((red + place, green - place, blue + 2 * place)))
    return paths


def target(page: Page, label: str) -> Locator:
    """Return the place where pictures of a label are dropped."""
    return page.locator(".teach-target", has=page.get_by_text(label, exact=True))


def start(page: Page) -> None:
    """Send the pictures and wait for what came of it."""
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#teach-outcome section").first).to_be_visible()
    expect(page.locator("#teach-progress")).to_be_hidden()


def test_words_of_ones_own_are_saved_before_they_are_taught(open_page: OpenPage) -> None:
    """What is learned belongs to a saved set; the way to one is a button."""
    page = open_page("/?view=label")
    use_labels(page, "red", "blue")
    show_tab(page, "Teach")
    page.get_by_role("button", name="Save these labels as a set").click()

    expect(page.get_by_role("heading", name="Save a label set")).to_be_visible()
    expect(page.locator("#set-labels li")).to_have_count(2)


def test_examples_teach_what_words_do_not_know(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """Brown things shall be green: before and after in numbers, and the labels follow."""
    saved(service, "taught", "red", "green", "blue")
    page = open_page("/?view=label&set=taught")
    show_tab(page, "Teach")
    page.get_by_role("radio", name="to teach all").check()
    give_to_label(page, "green", near(tmp_path, "brown", BROWN, 8))
    give_to_label(page, "blue", near(tmp_path, "purple", PURPLE, 8))
    expect(page.locator("#teach-hint")).to_have_text("16 pictures to teach")
    start(page)

    expect(target(page, "green").locator(".target-count")).to_have_text("8 taught")
    outcome = page.locator("#teach-outcome")
    expect(outcome.get_by_role("heading", name="What the examples did")).to_be_visible()
    expect(outcome).to_contain_text("right with the examples")
    expect(outcome.locator(".change-list")).to_contain_text("green")
    show_tab(page, "Pictures")
    expect(verdict(page, "brown-0.png")).to_have_text("green")
    page.get_by_label("Use its examples").uncheck()
    expect(verdict(page, "brown-0.png")).not_to_have_text("green")


def test_calibrating_shows_errors_diagrams_and_rules(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """Known pictures and some of none: scores are calibrated, and what fits nothing gets none."""
    saved(service, "calibrated", "red", "green", "blue")
    page = open_page("/?view=label&set=calibrated")
    show_tab(page, "Teach")
    page.get_by_role("radio", name="to calibrate make").check()
    for colour in ("red", "green", "blue"):
        give_to_label(page, colour, shades(tmp_path, colour, 4))
    give_to_label(page, "none of the labels", near(tmp_path, "brown", BROWN, 6))
    expect(page.locator("#teach-hint")).to_contain_text("6 of none of the labels")
    start(page)

    diagrams = page.get_by_role("img", name="calibration error")
    expect(diagrams).to_have_count(2)
    expect(page.locator("#teach-outcome")).to_contain_text("of nothing, labelled all the same")
    assert_accessible(page)
    show_tab(page, "Pictures")
    expect(verdict(page, "brown-0.png")).to_have_text("None of these")
    expect(card(page, "red-0.png").locator(".label-calibrated")).to_have_text("calibrated")
    page.locator("#label-alpha").select_option("0.2")
    expect(card(page, "red-0.png").locator(".prediction-set")).to_contain_text("red")
    page.get_by_label("Use its fitted rules").uncheck()
    expect(verdict(page, "brown-0.png")).not_to_have_text("None of these")


def test_a_third_is_kept_back_to_calibrate(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """One press teaches with two of three pictures and calibrates on the others."""
    # A label without pictures: logistic regression, which is slow to begin with, is not tried.
    saved(service, "both", "red", "blue", "green")
    page = open_page("/?view=label&set=both")
    show_tab(page, "Teach")
    for colour in ("red", "blue"):
        give_to_label(page, colour, shades(tmp_path, colour, 6))
    expect(page.locator("#teach-hint")).to_have_text("8 pictures to teach, 4 to calibrate")
    start(page)

    for colour in ("red", "blue"):
        expected = "4 taught \u00b7 2 calibrated"
        expect(target(page, colour).locator(".target-count")).to_have_text(expected)
    fits = service.get("/v1/label-sets/both/fits").json()
    assert fits["head"]["counts"] == {"red": 4, "blue": 4}
    assert fits["calibrations"]["single"]["counts"] == {"red": 2, "blue": 2}


def test_a_broken_picture_is_named_and_the_others_teach(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """The last one alone is bad: a head is chosen all the same, on those that could be read."""
    saved(service, "broken", "red", "blue", "green")
    bad = tmp_path / "torn.jpg"
    bad.write_bytes(picture_bytes("green", size=(400, 300), format="JPEG")[:700])
    page = open_page("/?view=label&set=broken", refusals=True)
    show_tab(page, "Teach")
    page.get_by_role("radio", name="to teach all").check()
    # A card that failed is left out beforehand, so it is given a label before it was labelled.
    page.route("**/v1/classify", lambda route: route.abort())
    give_to_label(page, "red", [*shades(tmp_path, "red", 3), bad])
    give_to_label(page, "blue", shades(tmp_path, "blue", 3))
    # Each giving takes the last notice away: now there is the one of the second.
    expect(page.locator("#label-notice strong")).to_have_text("The service could not label")
    page.unroute("**/v1/classify")
    start(page)

    expect(page.locator("#teach-notice")).to_contain_text("torn.jpg")
    assert service.get("/v1/label-sets/broken/fits").json()["head"]["counts"] == {
        "red": 3,
        "blue": 3,
    }


def test_pictures_are_dropped_onto_a_label(open_page: OpenPage, service: httpx.Client) -> None:
    """A drop on a label gives the picture that label, and no other part of the page takes it."""
    saved(service, "dropped", "red", "blue")
    page = open_page("/?view=label&set=dropped")
    show_tab(page, "Teach")
    target(page, "red").evaluate(
        """(target, bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "mine.png", { type: "image/png" }));
            const init = { bubbles: true, cancelable: true, dataTransfer: data };
            target.dispatchEvent(new DragEvent("drop", init));
        }""",
        list(picture_bytes("red")),
    )

    expect(target(page, "red").locator(".target-count")).to_have_text("1 here")
    show_tab(page, "Pictures")
    expect(page.locator(".label-card")).to_have_count(1)
    expect(card(page, "mine.png").locator(".truth-mark")).to_have_text("right")


def test_too_few_examples_are_refused_in_words(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """What the service cannot learn from is said in its own words where it was asked."""
    saved(service, "closed", "red", "blue")
    page = open_page("/?view=label&set=closed", refusals=True)
    show_tab(page, "Teach")
    give_to_label(page, "red", shades(tmp_path, "red", 1))
    page.get_by_role("button", name="Start").click()

    expect(page.locator("#teach-notice")).to_contain_text("cannot be held out")
