"""Rules of evaluation.html_comparison: what compare and gate found, as pages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from cli.evaluate_compare import command as compare
from cli.evaluate_gate import command as gate
from evaluation.html_comparison import comparison_page, difference_line
from evaluation.report_comparison import compare_reports
from evaluation.report_reading import read_report
from tests.evaluation.report_folders import write_queries


def report(folder: Path, hits: int, *, errors: float = 1.0) -> Path:
    """Write a report with so many hits among 100 queries, and an NLL of each."""
    values = (np.arange(100) < hits).astype(float).tolist()
    nll = (errors + np.arange(100) % 3 / 10).tolist()
    further = {"latency_p95_ms": 12.0}
    return write_queries(folder, {"hit@1": values, "nll": nll}, further=further)


def words_of(page: str) -> str:
    """Return the text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_comparison_says_better_worse_or_chance(tmp_path: Path) -> None:
    """More hits are better, more loss is worse; the same bytes each time."""
    old, new = report(tmp_path / "old", 40), report(tmp_path / "new", 60, errors=1.5)
    comparison = compare_reports(read_report(old), read_report(new), resamples=200)

    page = comparison_page(comparison)
    words = words_of(page)

    assert re.search(r"hit@1 better 0\.4000 0\.6000 \+0\.2000", words)
    assert re.search(r"nll worse 1\.0990 1\.5990 \+0\.5000", words)
    assert "latency_p95_ms" in words
    assert page == comparison_page(comparison)
    same = compare_reports(read_report(old), read_report(old), resamples=200)
    assert "may be chance" in words_of(comparison_page(same))


def test_a_line_of_a_difference_starts_from_zero_in_the_middle() -> None:
    """An interval right of zero is drawn right of the middle; no difference has no length."""
    line = difference_line(0.1, 0.15, 0.2, reach=0.2)

    assert 'x="74.00" width="24.00"' in line
    assert 'x="50.00" width="0.60"' in difference_line(0.0, 0.0, 0.0, reach=0.0)


def test_compare_writes_its_page(tmp_path: Path) -> None:
    """Beside what it prints."""
    old, new = report(tmp_path / "a<b>", 40), report(tmp_path / "new", 41)
    page = tmp_path / "page.html"

    done = CliRunner().invoke(
        compare, [str(old), str(new), "--html", str(page), "--resamples", "50"]
    )

    assert done.exit_code == 0, done.output
    assert "hit@1" in done.stdout
    assert "a&lt;b&gt;" in page.read_text()


def test_a_gate_that_fails_writes_its_page_too(tmp_path: Path) -> None:
    """Exit code 1, and a page that names the rule that is broken."""
    rules = tmp_path / "gate.toml"
    rules.write_text("[floor]\n'hit@1' = 0.6\n[ceiling]\nlatency_p95_ms = 20")
    page = tmp_path / "page.html"

    done = CliRunner().invoke(
        gate,
        [str(report(tmp_path / "new", 50)), "--rules", str(rules), "--html", str(page)],
    )

    words = words_of(page.read_text())
    assert done.exit_code == 1
    assert "Gate not passed" in words
    assert "broken floor hit@1 0.5 &lt; 0.6" in words
    assert "kept ceiling latency_p95_ms" in words
