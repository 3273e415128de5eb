"""Pages of evaluation reports in a real browser, opened from the disk as people do."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from evaluation.gate import GateRules, run_gate
from evaluation.html_comparison import comparison_page, gate_page
from evaluation.report import write_report
from evaluation.report_comparison import compare_reports
from evaluation.report_reading import read_report
from tests.browser.conftest import TIMEOUT_MS
from tests.evaluation import full_reports

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

PLOTS = {
    "retrieval": (
        "Mean precision, recall and hit over the rank k",
        "Queries by the rank of their first relevant item",
        "Mean interpolated precision over recall",
        "Precision over recall as the score threshold falls, with operating points",
    ),
    "classify": (
        "Reliability before calibration: accuracy over confidence",
        "Reliability after calibration: accuracy over confidence",
        "Error rate over the share of images that get a label",
        "Precision, recall and F1 over the threshold on the confidence",
        "Images by the size of their prediction set, LAC",
        "Images by the size of their prediction set, APS",
    ),
    "ann": (
        "ann_recall@3 over the median latency, text queries",
        "ann_recall@3 over the median latency, image queries",
        "How many text queries took how long",
        "How many image queries took how long",
    ),
    "comparison": (),
    "gate": (),
}
SCHEMES = ("light", "dark")
OUTSIDE = """() => [...document.querySelectorAll('figure > svg')].flatMap(svg => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const own = text.getBoundingClientRect();
        return own.left < box.left - 3 || own.right > box.right + 3
            || own.top < box.top - 3 || own.bottom > box.bottom + 3;
    }).map(text => `${svg.getAttribute('aria-label')}: ${text.textContent}`);
})"""
OVERLAPPING = """() => [...document.querySelectorAll('figure > svg')].flatMap(svg => {
    const level = [...svg.querySelectorAll('text')].filter(
        text => !/rotate\\(-?[1-9]/.test(text.getAttribute('transform') || ''));
    const boxes = level.map(text => [text.getBoundingClientRect(), text.textContent]);
    return boxes.flatMap(([a, one], place) => boxes.slice(place + 1).filter(([b]) =>
        a.left < b.right - 3 && b.left < a.right - 3 && a.top < b.bottom - 3 && b.top < a.bottom - 3
    ).map(([, other]) => `${svg.getAttribute('aria-label')}: ${one} / ${other}`));
})"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write every kind of page that needs no scikit-learn."""
    folder = tmp_path_factory.mktemp("pages")
    write_report(full_reports.retrieval(folder / "pictures"), folder / "retrieval")
    write_report(full_reports.labels(folder / "pictures"), folder / "classify")
    write_report(full_reports.index(), folder / "ann")
    stored = read_report(folder / "retrieval")
    comparison = compare_reports(stored, stored, resamples=20)
    (folder / "comparison.html").write_text(comparison_page(comparison))
    gate = run_gate(stored, GateRules(floor={"hit@1": 0.99}))
    (folder / "gate.html").write_text(gate_page(gate, report=stored.path, baseline=None))
    return {
        **{kind: folder / kind / "report.html" for kind in ("retrieval", "classify", "ann")},
        **{kind: folder / f"{kind}.html" for kind in ("comparison", "gate")},
    }


def opened(browser: Browser, path: Path, *, width: int, scheme: str) -> tuple[Page, list[str]]:
    """Open a page; return it with a list that fills with problems and requests."""
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url))
    page.goto(path.as_uri())
    return page, problems


@pytest.mark.parametrize("kind", list(PLOTS))
def test_a_page_opens_on_a_phone_and_on_a_desk(
    browser: Browser, pages: dict[str, Path], kind: str
) -> None:
    """No error, no request, no script, every plot whole, nothing wider than the phone."""
    for width, scheme in ((390, "light"), (390, "dark"), (1280, "light")):
        page, problems = opened(browser, pages[kind], width=width, scheme=scheme)

        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        for title in PLOTS[kind]:
            box = page.get_by_role("img", name=title, exact=True).bounding_box()
            assert box is not None, title
            assert box["width"] > 300, title
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(OVERLAPPING) == []
        assert "taken over" not in page.title()
        others = [one for one in problems if not one.startswith(("file:", "data:image/jpeg"))]
        assert others == []
        page.context.close()


def test_a_page_follows_the_colour_scheme(browser: Browser, pages: dict[str, Path]) -> None:
    """Words of plots are dark on light, and light on dark."""
    inks = []
    for scheme in SCHEMES:
        page, _ = opened(browser, pages["retrieval"], width=390, scheme=scheme)
        inks.append(
            page.evaluate("() => getComputedStyle(document.querySelector('svg text')).fill")
        )
        page.context.close()

    assert inks == ["rgb(26, 31, 38)", "rgb(231, 235, 240)"]


def test_numbers_unfold_and_thumbnails_are_drawn(browser: Browser, pages: dict[str, Path]) -> None:
    """Under each plot are its numbers; pictures have pixels."""
    page, _ = opened(browser, pages["retrieval"], width=390, scheme="light")

    for summary in page.get_by_text("The numbers", exact=True).all():
        summary.click()
    tables = page.locator("figure details table")
    pictures = page.locator("img")

    assert tables.count() >= len(PLOTS["retrieval"])
    assert all(one.is_visible() for one in tables.all())
    assert pictures.count() > 0
    assert all(one.evaluate("image => image.naturalWidth > 0") for one in pictures.all())
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.context.close()
