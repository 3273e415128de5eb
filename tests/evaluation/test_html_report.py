"""Rules of evaluation.html_report and its parts: complete, escaped, the same every time."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.evaluate_report import command as report_command
from core.artifacts import read_json, read_manifest, verify_files
from core.errors import UsageError
from evaluation import plots
from evaluation import report as report_module
from evaluation.html_confusion import confusion_matrix, top_confusions
from evaluation.html_report import report_page
from evaluation.html_retrieval import operating_points, rank_lists
from evaluation.html_style import DARK, LIGHT
from evaluation.html_worst import worst_rows
from evaluation.metric_glossary import glossary, meaning_of
from evaluation.report import Report, write_report
from evaluation.table_rows import table_rows
from evaluation.thumbnails import thumbnail
from tests.evaluation import full_reports
from tests.fakes import picture_bytes


class Elements(HTMLParser):
    """Collects tags, ids and headings, and whether every tag is closed."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.headings: list[int] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in {"meta", "br", "img", "wbr"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which has to be this one."""
        assert self.open.pop() == tag


def page_of(report: Report, folder: Path) -> str:
    """Write a report and return its page."""
    write_report(report, folder)
    return (folder / "report.html").read_text()


def elements_of(page: str) -> Elements:
    """Read a page; a tag that is not closed, or closed twice, fails."""
    found = Elements()
    found.feed(page)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a report of each kind that needs no scikit-learn; tests must not change them."""
    folder = tmp_path_factory.mktemp("reports")
    reports = {
        "retrieval": full_reports.retrieval(folder / "pictures"),
        "classify": full_reports.labels(folder / "pictures"),
        "ann": full_reports.index(),
    }
    for kind, report in reports.items():
        write_report(report, folder / kind)
    return {kind: folder / kind for kind in reports}


def text_of(folder: Path) -> str:
    """Return the page that was written."""
    return (folder / "report.html").read_text()


SECTIONS = {
    "retrieval": ("headline", "ranks", "precision-recall", "worst", "slices", "data"),
    "classify": (
        *("headline", "classes", "confusion", "calibration", "abstaining", "sets", "unknown"),
        *("templates-part", "worst", "slices", "data"),
    ),
    "ann": ("headline", "sweep", "latency"),
}


@pytest.mark.parametrize("kind", ["retrieval", "classify", "ann"])
def test_a_page_has_every_part_and_is_well_formed(written: dict[str, Path], kind: str) -> None:
    """Landmarks, headings without a gap, ids once, no script, no address outside the file."""
    found = elements_of(text_of(written[kind]))

    assert {"header", "nav", "main", "footer"} <= found.tags
    assert {*SECTIONS[kind], "provenance", "glossary"} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert found.headings[0] == 1
    steps = itertools.pairwise(found.headings)
    assert all(after - before <= 1 for before, after in steps)
    assert not {"script", "iframe", "link", "object", "form", "b"} & found.tags
    assert not any(name.startswith("on") or name == "style" for name, _ in found.attributes)
    addresses = [value for name, value in found.attributes if name in {"href", "src"}]
    assert all(address.startswith(("#", "data:image/jpeg;base64,")) for address in addresses)


@pytest.mark.parametrize("kind", ["retrieval", "classify", "ann"])
def test_the_same_files_give_the_same_page(written: dict[str, Path], kind: str) -> None:
    """What ``evaluate report`` renders again is what the evaluation wrote, byte for byte."""
    assert report_page(written[kind]) == text_of(written[kind])


def test_texts_of_other_people_are_shown_and_not_run(written: dict[str, Path]) -> None:
    """A caption, a label, a field and a file name that are HTML come out as they were written."""
    for kind, folder in written.items():
        page = text_of(folder)
        assert "&lt;script&gt;document.title" in page, kind
        assert "<script" not in page, kind
        assert full_reports.TAG not in page, kind


def test_the_worst_query_says_what_was_asked_what_came_and_what_should_have(
    written: dict[str, Path],
) -> None:
    """All three have their thumbnails; the caption that is right at once is not among them."""
    page = text_of(written["retrieval"])
    worst = page[page.index('id="worst"') : page.index('id="slices"')]

    assert "a red thing" in worst
    assert "a green thing" not in worst
    assert "Came:" in worst
    assert "Should have come:" in worst
    assert worst.count("<img src=") == worst.count("<li")


def test_image_queries_show_their_picture_and_captions_as_answers(tmp_path: Path) -> None:
    """What came is named by its caption, not by its id."""
    report = full_reports.retrieval(tmp_path / "pictures", direction="image_to_text")
    page = page_of(report, tmp_path / "report")
    worst = page[page.index('id="worst"') : page.index('id="slices"')]

    assert "Asked:" in worst
    assert "<span>a blue thing &lt;script&gt;" in worst


def test_pictures_that_are_gone_leave_their_names(tmp_path: Path) -> None:
    """A report is rendered again on another machine."""
    report = full_reports.retrieval(tmp_path / "pictures")
    write_report(report, tmp_path / "report")
    for path in (tmp_path / "pictures").iterdir():
        path.unlink()

    page = report_page(tmp_path / "report")

    assert "<img" not in page
    assert '<span class="missing">blue.png</span>' in page


def test_a_thumbnail_is_small_and_only_of_pictures(tmp_path: Path) -> None:
    """A big picture becomes a few kB; a device, a text and a missing file become nothing."""
    (tmp_path / "big.png").write_bytes(picture_bytes("red", size=(900, 600)))
    (tmp_path / "text.png").write_text("no picture")

    small = thumbnail(str(tmp_path / "big.png"))

    assert small is not None
    assert len(small) < 3000
    for name in ("text.png", "missing.png", ".", "\0"):
        assert thumbnail(str(tmp_path / name)) is None
    assert thumbnail("/dev/zero") is None


def test_an_empty_report_still_has_a_page(tmp_path: Path) -> None:
    """No curves, no rows, no metrics: what there is is shown."""
    bare = dataclasses.replace(
        full_reports.index(), details={}, measured=None, tables={}, metrics={}
    )

    assert "Provenance" in page_of(bare, tmp_path / "report")


def test_without_matplotlib_the_other_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The page is left out with a warning that says what to install; asked for, it is an error."""
    monkeypatch.setattr(plots.importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING):
        write_report(full_reports.index(), tmp_path / "report")

    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"metrics.json", "report.md", "manifest.json"} <= names
    assert "report.html" not in names
    assert "pip install 'sightline[evaluation]'" in caplog.text
    with pytest.raises(UsageError, match=r"sightline\[evaluation\]"):
        report_page(tmp_path / "report")


def test_a_page_that_cannot_be_made_costs_no_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is logged with its place; everything else is written and sealed."""

    def broken(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(report_module, "report_page", broken)
    write_report(full_reports.index(), tmp_path / "report")

    assert "report.html is not written; the other files are" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    manifest = read_manifest(tmp_path / "report", kind="report", format_version=2)
    verify_files(tmp_path / "report", manifest)


def test_a_query_with_very_many_relevant_items_is_read_back(tmp_path: Path) -> None:
    """Its ranks are one cell, longer than Python's readers of CSV take by default."""
    ranks = " ".join(map(str, range(7, 60_007)))
    (tmp_path / "per_query.csv").write_text(f"id,ranks\nq,{ranks}\n")

    before = csv.field_size_limit()

    assert worst_rows(table_rows(tmp_path / "per_query.csv")) == [{"id": "q", "ranks": ranks}]
    assert csv.field_size_limit() == before, "the limit of the process is as it was"


def test_report_renders_the_page_by_the_ending_of_the_file(tmp_path: Path) -> None:
    """``.html`` is the page, anything else Markdown; the report folder stays as it is."""
    page = page_of(full_reports.index(), tmp_path / "report")
    for name in ("again.html", "again.md"):
        done = CliRunner().invoke(
            report_command, [str(tmp_path / "report"), "--out", str(tmp_path / name)]
        )
        assert done.exit_code == 0, done.output

    assert (tmp_path / "again.html").read_text() == page
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert (tmp_path / "again.md").read_text() == markdown


def test_rank_lists_have_k_from_left_to_right() -> None:
    """As a list of hits is written: the first rank first."""
    curve = [
        {"k": 1, "precision": 1.0, "recall": 0.25, "hit": 1.0},
        {"k": 2, "precision": 1.0, "recall": 0.5, "hit": 1.0},
        {"k": 3, "precision": 2 / 3, "recall": 0.5, "hit": 1.0},
    ]

    text = re.sub(r"<[^>]+>+", " ", rank_lists(curve)).split()

    assert text == [
        *("k", "1", "2", "3"),
        *("precision", "1.00", "1.00", "0.67"),
        *("recall", "0.25", "0.50", "0.50"),
        *("hit", "1.00", "1.00", "1.00"),
    ]


def test_an_operating_point_has_the_most_recall_of_its_precision() -> None:
    """A target that no threshold reaches has no point."""
    pooled = [
        {"threshold": 0.9, "precision": 0.8, "recall": 0.1},
        {"threshold": 0.8, "precision": 0.7, "recall": 0.2},
        {"threshold": 0.7, "precision": 0.82, "recall": 0.4},
        {"threshold": 0.6, "precision": 0.5, "recall": 0.6},
    ]

    found = {point["target_precision"]: point["threshold"] for point in operating_points(pooled)}

    assert found == {0.9: None, 0.8: 0.7, 0.5: 0.6}


def test_missed_queries_are_worse_than_late_ones() -> None:
    """Then by rank, then by id; queries that are answered at once are not bad."""
    rows = [
        {"id": "late", "ranks": "9 11"},
        {"id": "b", "ranks": ""},
        {"id": "good", "ranks": "1 700"},
        {"id": "a", "ranks": ""},
        {"id": "later", "ranks": "10"},
    ]

    assert [row["id"] for row in worst_rows(rows)] == ["a", "b", "later", "late"]


def test_the_surest_error_is_first() -> None:
    """Right labels are no errors, however unsure."""
    rows = [
        {"id": "a", "label": "x", "predicted": "y", "confidence": "0.5"},
        {"id": "b", "label": "x", "predicted": "x", "confidence": "0.9"},
        {"id": "c", "label": "x", "predicted": "y", "confidence": "0.8"},
    ]

    assert [row["id"] for row in worst_rows(rows)] == ["c", "a"]


def test_no_more_than_twenty_are_shown_of_any_number() -> None:
    """A hundred thousand queries do not make the page longer."""
    rows = ({"id": f"q{place:06}", "ranks": str(place % 1000 + 1)} for place in range(5000))

    found = worst_rows(rows)

    assert len(found) == 20
    assert found[0] == {"id": "q000999", "ranks": "1000"}


def test_a_confusion_matrix_has_rows_of_the_truth() -> None:
    """Two reds were called blue; right cells are framed."""
    cells = [
        {"label": "red", "predicted": "blue", "images": 2},
        {"label": "red", "predicted": "red", "images": 1},
        {"label": "blue", "predicted": "blue", "images": 4},
    ]

    matrix = confusion_matrix(["blue", "red"], cells)

    assert '<td class="heat-4 right">4</td><td></td>' in matrix
    assert '<td class="heat-3">2</td><td class="heat-2 right">1</td>' in matrix
    listed = re.sub(r"<[^>]+>+", " ", top_confusions(cells)).split()
    assert listed[-4:] == ["red", "blue", "2", "0.67"]


def test_many_classes_are_listed_and_not_drawn(tmp_path: Path) -> None:
    """A thousand classes make no matrix on a page; the confusions are named."""
    report = full_reports.labels(tmp_path / "pictures")
    names = [f"class {place}" for place in range(1000)]
    empty = {"precision": None, "recall": 0.0, "f1": 0.0, "images": 1, "predicted": 1}
    rows = [{"label": name, **empty} for name in names]
    cells = [
        {"label": name, "predicted": names[place - 1], "images": 1 + place % 7}
        for place, name in enumerate(names)
    ]
    report = dataclasses.replace(
        report, details={**report.details, "per_class": rows, "confusion": cells}
    )

    page = page_of(report, tmp_path / "report")

    assert 'class="confusion"' not in page
    assert "1000 classes: the whole matrix is in confusion.csv" in page
    assert len(page) < 600_000


def test_every_metric_of_the_reports_has_a_meaning(written: dict[str, Path]) -> None:
    """No number stands on a page without a word on what it is."""
    for folder in written.values():
        names = read_json(folder / "metrics.json")["metrics"]
        assert isinstance(names, dict)
        unknown = [name for name in names if meaning_of(name) is None]
        assert unknown == []
    assert glossary(["hit@1", "hit@10"])[0][0] == "hit@k"


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(colours: dict[str, str]) -> None:
    """4.5 for texts on both grounds, 3 for the lines of plots."""
    for ground in (colours["ground"], colours["card"]):
        for name in ("ink", "muted", "link", "good", "bad"):
            assert contrast(colours[name], ground) >= 4.5, name
        for place in range(1, 9):
            assert contrast(colours[f"series-{place}"], ground) >= 3, place


def contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2.2: (L1 + .05) / (L2 + .05) of relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
