"""The template chooser of the label view, in a real browser against a real service."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.labelling import card, give, shades, show_tab, use_labels, verdict
from zeroshot.templates import template_set_names

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

SETS = len(template_set_names())


def row(page: Page, name: str) -> Locator:
    """Return the row of a template set."""
    header = page.get_by_role("rowheader", name=name, exact=True)
    return page.locator("#template-rows tr", has=header)


def test_every_set_is_offered_with_its_sentences(open_page: OpenPage) -> None:
    """What each is for, how many sentences, and what the model reads for the first label."""
    page = open_page("/?view=label")
    use_labels(page, "red car", "blue car")
    show_tab(page, "Templates")

    expect(page.locator("#template-rows tr")).to_have_count(SETS)
    expect(row(page, "food101").locator("td").first).to_have_text("food")
    expect(page.locator("#template-preview")).to_contain_text("itap of a red car.")
    row(page, "food101").get_by_role("button", name="Use food101").click()
    expect(page.locator("#template-preview li")).to_have_text(
        ["a photo of red car, a type of food."]
    )
    expect(page.locator("#template-set")).to_have_value("food101")
    expect(row(page, "food101").get_by_role("button")).to_be_disabled()


def test_comparing_shows_what_each_set_does(open_page: OpenPage, tmp_path: Path) -> None:
    """Score, other winners and, where labels are known, how many are right: a row a set."""
    page = open_page("/?view=label")
    use_labels(page, "red", "green", "blue")
    give(page, [*shades(tmp_path, "red", 1), *shades(tmp_path, "green", 1)])
    for colour in ("red", "green"):
        expect(verdict(page, f"{colour}-0.png")).to_have_text(colour)
        field = card(page, f"{colour}-0.png").locator("select")
        field.focus()
        field.select_option(colour)
    show_tab(page, "Templates")
    page.get_by_role("button", name="Compare on these pictures").click()

    expect(page.locator("#template-said")).to_have_text(f"{SETS} template sets compared")
    expect(row(page, "single").locator(".truth-column")).to_have_text("2\u00a0of\u00a02")
    expect(row(page, "single").locator("td.effect-column").nth(1)).to_have_text("none")
    # The fake encoder reads no colour in a word with quotation marks: its directions are those of a
    # digest, and by them one of the two is right.
    worse = row(page, "gtsrb")
    expect(worse.locator(".truth-column")).to_have_text("1\u00a0of\u00a02")
    worse.locator("summary").click()
    expect(worse.locator("li")).to_have_count(1)
    expect(worse.locator("li")).to_contain_text(".png: ")
    assert_accessible(page)


def test_new_labels_make_the_comparison_old(open_page: OpenPage) -> None:
    """Numbers of other labels are taken away, not left to be believed."""
    page = open_page("/?view=label")
    use_labels(page, "red", "green")
    expect(page.locator(".label-verdict")).to_have_count(3)
    show_tab(page, "Templates")
    page.get_by_role("button", name="Compare on these pictures").click()
    expect(page.locator(".has-effects")).to_have_count(1)
    use_labels(page, "red", "blue")

    expect(page.locator(".has-effects")).to_have_count(0)
