"""The label view in a real browser, against a real service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import OpenPage
from tests.browser.labelling import card, give, shades, show_tab, use_labels, verdict
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


def test_the_least_score_acts_without_asking_again(open_page: OpenPage, tmp_path: Path) -> None:
    """The slider takes labels away and gives them back from the answers that are there."""
    page = open_page("/?view=label")
    use_labels(page, "red", "a red car")
    give(page, shades(tmp_path, "red", 1))
    expect(card(page, "red-0.png").locator(".bar-value")).to_have_text(["50 %", "50 %"])
    page.evaluate(NOTE_FORMS)
    page.get_by_role("slider", name="Give no label under").fill("60")

    expect(verdict(page, "red-0.png")).to_have_text("None of these")
    expect(card(page, "red-0.png").locator(".label-why")).to_contain_text(
        "your least score of 60 %"
    )
    expect(page.locator("#label-summary")).to_contain_text("1 without a label")
    page.get_by_role("slider", name="Give no label under").fill("40")
    expect(verdict(page, "red-0.png")).not_to_have_text("None of these")
    assert page.evaluate("() => window.forms") == []


def test_saying_what_a_picture_shows_counts_what_is_right(
    open_page: OpenPage, tmp_path: Path
) -> None:
    """The card says right or wrong, and the line above the pictures counts them."""
    page = open_page("/?view=label")
    use_labels(page, "red", "blue")
    give(page, [*shades(tmp_path, "red", 1), *shades(tmp_path, "blue", 1)])
    for name, shown in (("red-0.png", "red"), ("blue-0.png", "red")):
        field = page.get_by_role("combobox", name=f"What {name} shows")
        field.focus()
        field.select_option(shown)

    expect(card(page, "red-0.png").locator(".truth-mark")).to_have_text("right")
    expect(card(page, "blue-0.png").locator(".truth-mark")).to_have_text("wrong")
    expect(page.locator("#label-summary")).to_contain_text("1 of 2 right")


def test_a_picture_of_the_gallery_is_labelled_by_its_id(open_page: OpenPage) -> None:
    """It is neither loaded in full nor sent: the service has it."""
    page = open_page("/?view=label")
    expect(page.locator(".label-verdict")).to_have_count(3)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.get_by_role("searchbox", name="Or try one of the gallery").fill("red")
    expect(page.locator("#label-sample-list button").first).to_have_attribute(
        "aria-label", "Label: a red square"
    )
    page.get_by_role("button", name="Label: a red square").click()

    expect(page.locator(".label-card")).to_have_count(4)
    expect(verdict(page, "a red square")).to_be_visible()
    assert [url for url in loaded if "/image" in url] == []


def test_many_pictures_come_in_batches_and_can_be_stopped(
    open_page: OpenPage, tmp_path: Path
) -> None:
    """Eight at a time, with progress; stopping keeps what is labelled and offers the rest."""
    page = open_page("/?view=label")
    expect(page.locator(".label-verdict")).to_have_count(3)
    held: list[Route] = []

    def hold_the_second(route: Route) -> None:
        if not held and page.locator(".label-card .bar-value").count() == 0:
            route.continue_()
        else:
            held.append(route)

    use_labels(page, "red", "blue")
    page.locator("#label-clear").click()
    page.route("**/v1/classify", hold_the_second)
    give(page, shades(tmp_path, "red", 20))
    expect(page.locator("#label-progress")).to_contain_text("8 of 20 labelled")
    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#label-notice")).to_contain_text("Stopped")
    expect(page.locator(".label-verdict")).to_have_count(8)
    page.unroute("**/v1/classify")
    page.get_by_role("button", name="Label all again").click()
    expect(page.locator(".label-verdict")).to_have_count(20)
    expect(page.locator("#label-said")).to_have_text("20 pictures labelled")
    expect(page.locator("#label-progress")).to_be_hidden()


def test_two_hundred_pictures_with_a_broken_one(
    open_page: OpenPage, pictures: dict[str, Path], tmp_path: Path
) -> None:
    """Each gets its label; the broken one is named on its card, and no preview keeps a file."""
    page = open_page("/?view=label")
    use_labels(page, "red", "blue")
    kept = """() => {
        window.kept = 0;
        const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
        URL.createObjectURL = (blob) => (window.kept += 1, make.call(URL, blob));
        URL.revokeObjectURL = (address) => (window.kept -= 1, revoke.call(URL, address));
    }"""
    page.evaluate(kept)
    give(page, [*shades(tmp_path, "red", 199), pictures["broken"]])

    expect(page.locator("#label-said")).to_have_text("199 pictures labelled, 1 could not be read")
    expect(page.locator("#label-summary")).to_contain_text("1 not read")
    expect(card(page, "broken.png").locator(".label-error")).to_contain_text("truncated")
    # The browser draws what there is of a truncated picture; its preview is the last to be made.
    expect(card(page, "broken.png").locator("img")).to_have_js_property("naturalWidth", 400)
    for _ in range(2400):
        if page.evaluate("() => window.kept") == 0:
            break
        page.wait_for_timeout(50)
    assert page.evaluate("() => window.kept") == 0


def test_names_of_folders_are_labels_where_they_can_be(open_page: OpenPage) -> None:
    """``Red_things/a.png`` shows "red things"; other folders say nothing."""
    page = open_page("/?view=label")
    truths = page.evaluate(
        """async () => {
            const { Picture, learnFromFolders } = await import("/static/label/picture.js");
            const file = new File([], "a.png");
            const paths = ["photos/Red_things/a.png", "photos/a.png", "a.png", "blue/a.png"];
            const found = paths.map((path) => new Picture({ file, path }));
            found[3].truth = null;
            learnFromFolders(found, ["red things", "blue"]);
            return found.map(({ truth }) => (truth === undefined ? "unknown" : truth));
        }"""
    )

    assert truths == ["red things", "unknown", "unknown", None]


def test_the_tabs_go_by_arrow_keys(open_page: OpenPage) -> None:
    """One tab stop for all three; the arrows, Home and End choose."""
    page = open_page("/?view=label")
    page.get_by_role("tab", name="Pictures").focus()
    page.keyboard.press("ArrowRight")

    expect(page.get_by_role("tab", name="Templates")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Templates")).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel", name="Teach")).to_be_visible()
    page.keyboard.press("Home")
    expect(page.get_by_role("tabpanel", name="Pictures")).to_be_visible()
    assert page.locator("[role=tab][tabindex='-1']").count() == 2


def test_a_phone_shows_it_all_without_sideways_scrolling(open_page: OpenPage) -> None:
    """Pictures first: how it is scored is folded; both directions of writing fit."""
    page = open_page("/?view=label", viewport={"width": 360, "height": 740})
    use_labels(page, "\u05d0\u05d3\u05d5\u05dd", "blue")
    expect(page.locator(".label-verdict")).to_have_count(3)
    expect(page.get_by_role("slider")).to_be_hidden()

    for direction in ("ltr", "rtl"):
        page.evaluate("(direction) => { document.documentElement.dir = direction; }", direction)
        for tab in ("Templates", "Teach", "Pictures"):
            show_tab(page, tab)
            view = page.locator("#label-view")
            assert view.evaluate("(view) => view.scrollWidth <= window.innerWidth"), direction


def test_the_view_is_accessible_in_the_dark(open_page: OpenPage) -> None:
    """axe-core finds nothing serious, a picture without a label among them."""
    page = open_page("/?view=label", color_scheme="dark")
    expect(page.locator(".label-verdict")).to_have_count(3)
    page.get_by_role("slider", name="Give no label under").fill("100")
    expect(page.locator(".label-why")).to_have_count(3)

    assert_accessible(page)


def forms_sent(page: Page, count: int) -> list[list[str]]:
    """Wait until the page has sent this many forms since ``NOTE_FORMS`` and return them."""
    # Playwright's own waiting evaluates text in the page, which the content policy forbids.
    for _ in range(2400):
        forms: list[list[str]] = page.evaluate("() => window.forms")
        if len(forms) >= count:
            break
        page.wait_for_timeout(50)
    return forms
