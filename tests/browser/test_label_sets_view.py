"""Saved label sets in the label view: choosing, making and changing them in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.labelling import card, give, save_set, shades, use_labels, verdict
from tests.browser.looking import expect_address
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a gallery whose label sets these tests may save; each has names of its own."""
    with running(tmp_path_factory.mktemp("label-sets")) as client:
        add_colours(client)
        yield client


def save(service: httpx.Client, name: str, labels: list[object]) -> None:
    """Save a label set past the page."""
    body = {"name": name, "labels": labels, "template_set": "name"}
    service.post("/v1/label-sets", json=body).raise_for_status()


def open_form(page: Page) -> None:
    """Open the form for the labels in use."""
    page.get_by_role("button", name="Save as a label set").click()
    expect(page.get_by_role("heading", name="Save a label set")).to_be_visible()


def test_typed_labels_become_a_set_whose_address_can_be_shared(
    open_page: OpenPage, tmp_path: Path
) -> None:
    """Saving puts the set into the address; who opens it labels with the same set."""
    page = open_page("/?view=label")
    use_labels(page, "red", "green", "blue")
    save_set(page, "lights")
    expect_address(page, "/?view=label&set=lights")
    again = open_page("/?view=label&set=lights")

    expect(again.locator("#label-saved-list li")).to_have_text(["red", "green", "blue"])
    expect(again.locator("#label-facts")).to_contain_text("templates imagenet7")
    give(again, shades(tmp_path, "green", 1))
    expect(verdict(again, "green-0.png")).to_have_text("green")


def test_the_back_button_returns_to_own_words(open_page: OpenPage, service: httpx.Client) -> None:
    """Choosing a set is a step; the typed labels are there again after it."""
    save(service, "chosen", ["red", "blue"])
    page = open_page("/?view=label")
    use_labels(page, "red", "green")
    page.locator("#label-set").select_option("chosen")
    expect_address(page, "/?view=label&set=chosen")
    expect(page.locator("#label-saved-list li")).to_have_text(["red", "blue"])
    page.go_back()

    expect(page.locator("#label-list li")).to_have_text(["red", "green"])


def test_a_name_that_cannot_be_used_is_said_at_the_name(open_page: OpenPage) -> None:
    """The service's own words stand under the field, which has the focus; nothing is lost."""
    page = open_page("/?view=label", refusals=True)
    use_labels(page, "red", "green")
    open_form(page)
    name = page.get_by_role("textbox", name="Name")
    name.fill("Two Words")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator("#set-name-error")).to_contain_text("a-z, 0-9")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("two-words")
    page.get_by_role("button", name="Save", exact=True).click()
    expect_address(page, "/?view=label&set=two-words")


def test_two_labels_alike_are_said_at_the_label(open_page: OpenPage) -> None:
    """The row of the second one is marked and has the focus."""
    page = open_page("/?view=label", refusals=True)
    use_labels(page, "red", "Red")
    open_form(page)
    page.get_by_role("textbox", name="Name").fill("alike")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator("#set-labels-error")).to_contain_text("Red")
    expect(page.locator("#set-labels .row-text").nth(1)).to_be_focused()
    expect(page.locator("#set-labels .row-text").nth(1)).to_have_attribute("aria-invalid", "true")


def test_changing_a_set_makes_a_version_and_the_older_one_stays(
    open_page: OpenPage, service: httpx.Client
) -> None:
    """The form begins with what is saved; the version can be chosen, and is in the address."""
    save(service, "paints", ["red", {"text": "green", "aliases": ["lime"]}])
    page = open_page("/?view=label&set=paints")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("textbox", name="Other names of green")).to_have_value("lime")
    page.get_by_role("button", name="Add a label").click()
    page.locator("#set-labels .row-text").last.fill("blue")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#label-saved-list li")).to_have_text(["red", "green", "blue"])
    page.locator("#label-version").select_option("1")

    expect(page.locator("#label-saved-list li")).to_have_text(["red", "green"])
    expect_address(page, "/?view=label&set=paints%401")
    stored = service.get("/v1/label-sets/paints").json()
    assert stored["version"] == 2
    assert stored["details"]["green"]["aliases"] == ["lime"]
    assert stored["template_set"] == "name"


def test_a_background_label_gives_no_label_and_says_so(
    open_page: OpenPage, service: httpx.Client, tmp_path: Path
) -> None:
    """It is marked in the bars; where it wins the card says why there is no label."""
    save(service, "signals", ["red", {"text": "blue", "background": True}])
    page = open_page("/?view=label&set=signals")
    give(page, [*shades(tmp_path, "blue", 1), *shades(tmp_path, "red", 1)])

    expect(verdict(page, "red-0.png")).to_have_text("red")
    expect(verdict(page, "blue-0.png")).to_have_text("None of these")
    expect(card(page, "blue-0.png").locator(".label-why")).to_contain_text("background label")
    expect(card(page, "blue-0.png").locator(".bars li").first).to_contain_text("background")
    expect(page.locator("#label-summary")).to_contain_text("1 without a label")


def test_a_set_that_does_not_exist_is_said(open_page: OpenPage) -> None:
    """An old link to a set that is gone names the sets that there are."""
    page = open_page("/?view=label&set=gone", refusals=True)

    expect(page.locator("#label-set-error")).to_contain_text("no label set 'gone'")


def test_own_templates_are_saved_and_shown(open_page: OpenPage, service: httpx.Client) -> None:
    """One a line; the set then has templates of its own."""
    page = open_page("/?view=label", refusals=True)
    use_labels(page, "red", "green")
    open_form(page)
    page.get_by_role("textbox", name="Name").fill("owned")
    page.locator("#set-template-set").select_option("of my own")
    page.locator("#set-templates").fill("a painting without the name")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#set-templates-error")).to_contain_text("exactly one {}")
    page.locator("#set-templates").fill("a {} wall\n\na {} door")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator("#label-facts")).to_contain_text("templates custom")
    assert service.get("/v1/label-sets/owned").json()["templates"] == ["a {} wall", "a {} door"]


def test_the_form_is_accessible(open_page: OpenPage) -> None:
    """Every field of the form has a name, and its words can be read."""
    page = open_page("/?view=label")
    use_labels(page, "red", "green")
    open_form(page)
    page.locator("#set-labels summary").first.click()

    assert_accessible(page)
