"""The label view in a real browser, against a real service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.looking import expect_address
from tests.fakes import picture_bytes

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

NOTE_FORMS = """() => {
    window.forms = [];
    const send = window.fetch;
    window.fetch = (path, options) => {
        if (options?.body instanceof FormData) {
            window.forms.push([options.body.get("template_set"), options.body.get("mode")]);
        }
        return send(path, options);
    };
}"""


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Write a red, a blue and a truncated picture."""
    data = {"red": picture_bytes("red"), "blue": picture_bytes("blue")}
    data["broken"] = picture_bytes("green", size=(400, 300), format="JPEG")[:700]
    paths = {name: tmp_path / f"{name}.png" for name in data}
    for name, path in paths.items():
        path.write_bytes(data[name])
    return paths


def test_a_newcomer_sees_labelled_pictures_at_once(open_page: OpenPage) -> None:
    """Three pictures of the gallery are labelled with the default labels, no click needed."""
    page = open_page("/?view=label")

    expect(page.locator(".label-card")).to_have_count(3)
    expect(page.locator(".label-verdict")).to_have_count(3)
    expect(page.locator(".label-card").first.locator(".bars li")).to_have_count(5)
    expect(page.locator("#label-list li").first).to_have_text("animal")


def test_the_tabs_change_the_view_and_back_returns(open_page: OpenPage) -> None:
    """Each view has an address of its own; changing keeps the page loaded."""
    page = open_page("/")
    page.get_by_role("link", name="Label").click()
    expect(page.get_by_role("heading", name="Which word fits?")).to_be_visible()
    expect_address(page, "/?view=label")
    expect(page.get_by_role("link", name="Label")).to_have_attribute("aria-current", "page")
    page.go_back()

    expect(page.get_by_role("searchbox")).to_be_visible()
    expect(page.get_by_role("heading", name="Which word fits?")).to_be_hidden()


def test_pictures_get_the_label_that_fits(open_page: OpenPage, pictures: dict[str, Path]) -> None:
    """Labels typed with comma and Enter are scored for each picture, the best one first."""
    page = open_page("/?view=label")
    use_labels(page, "red", "green", "blue")
    page.locator("#label-file").set_input_files([pictures["red"], pictures["blue"]])

    expect(card(page, "red.png").locator(".label-verdict")).to_have_text("red")
    expect(card(page, "blue.png").locator(".label-verdict")).to_have_text("blue")
    expect(card(page, "red.png").locator(".bars li")).to_have_count(3)
    expect(card(page, "red.png").locator(".bar-value").first).to_have_text(re.compile(r"^\d+ %$"))
    expect(page.locator("#label-summary")).to_contain_text("2 pictures")


def test_a_bad_picture_says_why_and_harms_no_other(
    open_page: OpenPage, pictures: dict[str, Path]
) -> None:
    """The reason stands on its own card; the rest is labelled."""
    page = open_page("/?view=label", refusals=True)
    use_labels(page, "red", "blue")
    page.locator("#label-file").set_input_files([pictures["red"], pictures["broken"]])

    expect(card(page, "broken.png").locator(".label-error")).to_contain_text("truncated")
    expect(card(page, "red.png").locator(".label-verdict")).to_have_text("red")
    page.get_by_role("button", name="Remove red.png").click()
    page.locator("#template-set").select_option("single")
    expect(card(page, "broken.png").locator(".label-error")).to_contain_text("truncated")


def test_a_dropped_picture_takes_the_place_of_the_examples(open_page: OpenPage) -> None:
    """The examples go when the user's own pictures come."""
    page = open_page("/?view=label")
    expect(page.locator(".label-verdict")).to_have_count(3)
    page.evaluate(
        """(bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "mine.png"));
            const drop = new DragEvent("drop", { bubbles: true, dataTransfer: data });
            document.body.dispatchEvent(drop);
        }""",
        list(picture_bytes("red")),
    )

    expect(page.locator(".label-card")).to_have_count(1)
    expect(card(page, "mine.png").locator(".label-verdict")).to_be_visible()


def test_the_choice_is_remembered(open_page: OpenPage) -> None:
    """Labels, templates and mode are there again on the next visit with this browser."""
    page = open_page("/?view=label")
    use_labels(page, "red", "green")
    page.locator("#template-set").select_option("single")
    page.get_by_text("Any", exact=True).click()
    page.reload()

    expect(page.locator("#label-list li")).to_have_text(["red", "green"])
    expect(page.locator("#template-set")).to_have_value("single")
    expect(page.get_by_role("radio", name="Any")).to_be_checked()


def test_templates_and_mode_reach_the_service(open_page: OpenPage) -> None:
    """Changing a setting asks again, with that setting."""
    page = open_page("/?view=label")
    expect(page.locator(".label-verdict")).to_have_count(3)
    page.evaluate(NOTE_FORMS)
    page.locator("#template-set").select_option("name")
    forms_sent(page, 1)
    page.get_by_text("Any", exact=True).click()

    assert forms_sent(page, 2) == [["name", "single"], ["name", "multi"]]


def test_one_label_is_not_a_choice(open_page: OpenPage) -> None:
    """With fewer than two labels the page says what is missing instead of asking."""
    page = open_page("/?view=label")
    expect(page.locator(".label-verdict")).to_have_count(3)
    use_labels(page, "red")

    expect(page.get_by_role("alert")).to_contain_text("Give at least two labels")
    expect(page.locator(".label-verdict")).to_have_count(0)


def test_a_pasted_list_becomes_labels(open_page: OpenPage) -> None:
    """Lines and commas separate labels; what is there already is not added twice."""
    page = open_page("/?view=label")
    use_labels(page, "red")
    page.locator("#label-input").evaluate(
        """(input) => {
            const data = new DataTransfer();
            data.setData("text/plain", "green\\n red, blue sky\\n\\n");
            input.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true,
                cancelable: true }));
        }"""
    )

    expect(page.locator("#label-list li")).to_have_text(["red", "green", "blue sky"])


def forms_sent(page: Page, count: int) -> list[list[str]]:
    """Wait until the page has sent this many forms since ``NOTE_FORMS`` and return them."""
    # Playwright's own waiting evaluates text in the page, which the content policy forbids.
    for _ in range(2400):
        forms: list[list[str]] = page.evaluate("() => window.forms")
        if len(forms) >= count:
            break
        page.wait_for_timeout(50)
    return forms


def use_labels(page: Page, *labels: str) -> None:
    """Put these labels in the place of those in use: all by comma, the last by Enter."""
    field = page.locator("#label-input")
    field.click()
    for _ in range(page.locator("#label-list li").count()):
        field.press("Backspace")
    field.press_sequentially(",".join(labels))
    field.press("Enter")
    expect(page.locator("#label-list li")).to_have_text(list(labels))


def card(page: Page, name: str) -> Locator:
    """Return the card of a file."""
    return page.locator(".label-card", has=page.get_by_role("img", name=name))
