"""The view Quality: judged queries measured live, files to take along, reports in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from core.measures.trec import read_qrels
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.looking import expect_address, expect_first
from tests.evaluation.report_folders import write_queries
from tests.service.running import add_colours, running

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

VIEW = "/?view=quality"
SCRIPTED = (
    "<style>h1 { color: red }</style><h1>As it was</h1><script>document.body.remove()</script>"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve six colours with marks of two queries, and four reports."""
    folder = tmp_path_factory.mktemp("quality")
    reports = folder / "reports"
    write_queries(reports / "older", {"hit@1": [1, 0, 1, 0], "recall@10": [1, 1, 1, 0.5]})
    write_queries(reports / "newer", {"hit@1": [1, 0, 1, 1], "recall@10": [1, 1, 1, 1]})
    _write_odd(reports / "ancient", schema_version=1)
    (_write_odd(reports / "scripted", schema_version=2) / "report.html").write_text(SCRIPTED)
    with running(folder, reports_folder=str(reports)) as client:
        add_colours(client)
        _judge(client, "red", {"red": 1, "blue": 0})
        _judge(client, "green", {"green": 0, "blue": 1})
        yield client


def _write_odd(folder: Path, *, schema_version: int) -> Path:
    folder.mkdir(parents=True)
    content = {"schema_version": schema_version, "kind": "score", "metrics": {}, "provenance": {}}
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


def _judge(client: httpx.Client, query: str, grades: dict[str, int]) -> None:
    marks = [{"item_id": name, "grade": grade} for name, grade in grades.items()]
    assert client.put("/v1/judgements", json={"query": query, "marks": marks}).is_success


def test_judged_queries_stand_with_their_measures(open_page: OpenPage) -> None:
    """At 1 hit: one query finds its right picture first, the other a wrong one."""
    page = open_page(VIEW)
    expect(page.locator("#judged-rows tr", has_text="green")).to_be_visible()

    page.locator("#quality-k").get_by_text("1", exact=True).click()

    expect(page.locator("#judged-p")).to_have_text("P@1")
    row = page.locator("#judged-rows tr", has_text="red").locator("td")
    expect(row.nth(0)).to_have_text("1")
    expect(row.nth(1)).to_have_text("1")
    expect(row.nth(2)).to_have_text("1.00")
    expect(row.nth(4)).to_have_text("1.00")
    card = page.locator(".measure", has=page.get_by_role("heading", name="Precision@1"))
    expect(card.locator(".measure-value")).to_have_text("0.50")
    expect(card.locator(".measure-interval")).to_contain_text("2 queries")


def test_a_query_leads_back_to_its_search(open_page: OpenPage) -> None:
    """With Judge on; the back button leads to the table again."""
    page = open_page(VIEW)
    page.get_by_role("link", name="red", exact=True).click()

    expect_first(page, "red")
    expect_address(page, "/?q=red&judge=1")
    expect(page.locator('.tile[data-id="red"] .mark-right')).to_have_attribute(
        "aria-pressed", "true"
    )
    page.go_back()
    expect(page.locator("#judged-rows tr", has_text="green")).to_be_visible()


def test_marks_are_taken_back_only_after_a_question(
    open_page: OpenPage, service: httpx.Client
) -> None:
    """Keep keeps them; Take back takes those of this query and of no other."""
    _judge(service, "to be forgotten", {"white": 1})
    page = open_page(VIEW)
    row = page.locator("#judged-rows tr", has_text="to be forgotten")
    row.get_by_role("button").click()
    row.get_by_role("button", name="Keep").click()
    expect(row.locator(".row-actions button")).to_be_focused()

    row.get_by_role("button").click()
    row.get_by_role("button", name="Take back").click()

    expect(page.locator("#judged-rows tr", has_text="to be forgotten")).to_have_count(0)
    expect(page.locator("#judged-rows tr", has_text="green")).to_be_visible()
    left = service.get("/v1/judgements").json()["queries"]
    assert {one["query"] for one in left} == {"red", "green"}


def test_a_deleted_picture_of_a_query_is_named(open_page: OpenPage, service: httpx.Client) -> None:
    """Such a query cannot be asked; the others are measured."""
    _judge(service, "id:nobody", {"red": 1})
    try:
        page = open_page(VIEW)
        row = page.locator("#judged-rows tr", has_text="id:nobody")
        expect(row.locator(".row-problem")).to_contain_text("there is no item 'nobody'")
    finally:
        service.delete("/v1/judgements", params={"q": "id:nobody"})


def test_qrels_come_as_a_file_that_evaluate_reads(open_page: OpenPage, tmp_path: Path) -> None:
    """The link downloads what was marked."""
    page = open_page(VIEW)
    with page.expect_download(timeout=TIMEOUT_MS) as coming:
        page.get_by_role("link", name="Qrels").click()
    coming.value.save_as(tmp_path / coming.value.suggested_filename)

    qrels = read_qrels(tmp_path / "qrels.trec")

    assert {"red": 1, "blue": 0} in list(qrels.values())


def test_reports_are_listed_with_figures_or_a_reason(open_page: OpenPage) -> None:
    """Kind, model and numbers; one of another schema says that it is."""
    page = open_page(VIEW)
    newer = page.locator(".report", has_text="newer")

    expect(newer).to_contain_text("retrieval")
    expect(newer.locator("dd").nth(1)).to_contain_text("0.75")
    expect(page.locator(".report", has_text="ancient")).to_contain_text("schema version 1")
    expect(page.locator("#reports-compare-code")).to_contain_text("sightline evaluate compare")


def test_a_report_opens_in_its_place(open_page: OpenPage) -> None:
    """In the address, so it can be shared; the back button closes it."""
    page = open_page(VIEW)
    page.get_by_role("link", name="newer").click()

    frame = page.frame_locator(".report-frame")
    expect(frame.locator("h1")).to_be_visible()
    expect(frame.locator("#headline")).to_contain_text("hit@1")
    expect_address(page, "/?view=quality&report=newer")
    page.go_back()
    expect(page.locator("#report-open")).to_be_hidden()
    page.go_forward()
    expect(frame.locator("#headline")).to_contain_text("hit@1")
    page.get_by_role("link", name="Close").click()
    expect(page.locator("#report-open")).to_be_hidden()


def test_a_report_that_is_not_there_says_so(open_page: OpenPage) -> None:
    """An old link, or a report without a page."""
    page = open_page(f"{VIEW}&report=gone")

    expect(page.locator("#report-title")).to_have_text("There is no page of a report gone")
    expect(page.locator("iframe")).to_have_count(0)


def test_a_report_runs_no_script(browser: Browser, service: httpx.Client) -> None:
    """Whatever the file holds: its style is shown, its script is not run."""
    context = browser.new_context(base_url=str(service.base_url))
    try:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(f"{VIEW}&report=scripted")
        heading = page.frame_locator(".report-frame").locator("h1")
        expect(heading).to_have_text("As it was")
        expect(heading).to_have_css("color", "rgb(255, 0, 0)")
        with page.expect_console_message(lambda message: "script" in message.text):
            page.goto("/v1/reports/scripted/page")
        expect(page.locator("h1")).to_have_text("As it was")
    finally:
        context.close()


def test_empty_states_say_how_to_begin(browser: Browser, tmp_path: Path) -> None:
    """The three steps to the first mark, and the commands of the first report."""
    with running(tmp_path) as empty:
        context = browser.new_context(base_url=str(empty.base_url))
        try:
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            page.goto(VIEW)
            expect(page.locator("#judged-empty")).to_contain_text("Mark hits right")
            expect(page.locator("#reports-empty-code")).to_contain_text("--out reports/first")
            assert_accessible(page)
            page.get_by_role("link", name="Search and judge").click()
            expect(page).to_have_url(re.compile(r"judge=1$"))
            expect(page.locator("#judging")).to_be_visible()
        finally:
            context.close()


def test_everybody_can_read_it_on_a_phone(open_page: OpenPage) -> None:
    """Dark, with a report open: nothing serious by axe-core, and nothing wider than the screen."""
    page = open_page(
        f"{VIEW}&report=older", color_scheme="dark", viewport={"width": 390, "height": 844}
    )
    expect(page.frame_locator(".report-frame").locator("h1")).to_be_visible()
    expect(page.locator("#judged-rows tr", has_text="green")).to_be_visible()

    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
