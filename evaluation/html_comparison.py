"""Pages for the results of ``compare`` and ``gate``; they have tables and no plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.comparison import Difference, lower_is_better
from evaluation.gate import GateResult
from evaluation.html_markup import Markup, element, paragraph, section, table
from evaluation.html_page import html_page
from evaluation.metric_glossary import glossary
from evaluation.report_comparison import ReportComparison

_DASH = "-"


def comparison_page(comparison: ReportComparison) -> str:
    """Return the page of two reports side by side."""
    before, after = comparison.baseline, comparison.candidate
    facts = [
        f"{comparison.queries} queries in {comparison.clusters} clusters",
        *([f"{comparison.unmatched} in one report only, left out"] if comparison.unmatched else []),
        *([f"these differ: {', '.join(comparison.differing)}"] if comparison.differing else []),
    ]
    return html_page(
        "Comparison of two reports",
        intro=[
            paragraph(f"Baseline {before.path} ({before.model})"),
            paragraph(f"Candidate {after.path} ({after.model})"),
            paragraph("; ".join(facts)),
        ],
        sections=[
            _differences(comparison.differences),
            _untested(comparison),
            _meanings([item.name for item in comparison.differences]),
        ],
    )


def gate_page(result: GateResult, *, report: Path, baseline: Path | None) -> str:
    """Return the page of a gate: passed or not, and by which rule."""
    broken = sum(not check.passed for check in result.checks)
    verdict = (
        "All rules are kept." if result.passed else f"{broken} of {len(result.checks)} broken."
    )
    rows = [
        [
            element("span", "kept", attributes={"class": "good"})
            if check.passed
            else element("span", "broken", attributes={"class": "bad"}),
            check.rule,
            check.metric,
            check.reason,
            f"{check.limit:g}",
        ]
        for check in result.checks
    ]
    against = f", against {baseline}" if baseline is not None else ""
    return html_page(
        "Gate passed" if result.passed else "Gate not passed",
        intro=[paragraph(f"{report}{against}"), paragraph(verdict)],
        sections=[
            section(
                "rules",
                "Rules",
                table("Rules", ["", "rule", "metric", "found", "limit"], rows, texts=4),
            ),
            _meanings([check.metric for check in result.checks]),
        ],
    )


def difference_line(low: float, value: float, high: float, *, reach: float) -> Markup:
    """Return an interval as a line about zero, which is in the middle.

    ``reach`` is the largest distance from zero that the line has room for.
    """

    def place(number: float) -> float:
        return 50 + 48 * number / reach if reach else 50.0

    left, right = place(low), place(high)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="10"/>'
        f'<rect class="fill" x="{left:.2f}" width="{max(right - left, 0.6):.2f}" y="3" height="4"/>'
        f'<rect class="interval" x="{place(value) - 0.8:.2f}" width="1.6" height="10"/>'
        '<rect class="fill-ink" x="49.8" width="0.4" height="10"/></svg>'
    )


def _differences(differences: Sequence[Difference]) -> Markup:
    reach = max(
        (abs(end) for item in differences for end in _ends(item)),
        default=0.0,
    )
    header = ["metric", "", "verdict", "baseline", "candidate", "difference", "interval"]
    rows = [
        [
            item.name,
            difference_line(_ends(item)[0], item.difference, _ends(item)[1], reach=reach),
            _verdict(item),
            f"{item.baseline:.4f}",
            f"{item.candidate:.4f}",
            f"{item.difference:+.4f}",
            _interval(item),
            f"{item.p:.4f}",
            f"{item.p_holm:.4f}",
            _DASH if item.p_mcnemar is None else f"{item.p_mcnemar:.4f}",
            f"{item.wins}/{item.ties}/{item.losses}",
            _DASH if item.smallest_detectable is None else f"{item.smallest_detectable:.4f}",
        ]
        for item in differences
    ]
    tested = ["p", "Holm p", "McNemar p", "win/tie/loss", "smallest detectable difference"]
    note = (
        "Differences are candidate minus baseline, query by query, with bootstrap intervals; p of "
        "random sign flips. The verdict is by Holm p below .05; where it may be chance, a "
        "difference up to the smallest detectable one can still be there."
    )
    return section(
        "differences",
        "Differences",
        paragraph(note),
        table("Differences", [*header, *tested], rows, texts=3),
    )


def _verdict(item: Difference) -> Markup:
    if item.p_holm >= 0.05:  # noqa: PLR2004 - the usual level
        return element("span", "may be chance", attributes={"class": "muted"})
    better = (item.difference < 0) == lower_is_better(item.name)
    word, kind = ("better", "good") if better else ("worse", "bad")
    return element("span", word, attributes={"class": kind})


def _ends(item: Difference) -> tuple[float, float]:
    low, high = item.interval.low, item.interval.high
    if low is None or high is None:
        return item.difference, item.difference
    return low, high


def _interval(item: Difference) -> str:
    low, high = item.interval.low, item.interval.high
    return _DASH if low is None or high is None else f"{low:+.4f} to {high:+.4f}"


def _untested(comparison: ReportComparison) -> Markup:
    """Return the metrics that have no value per query, so that no test is possible."""
    rows = [
        [
            name,
            *(
                _DASH if value is None else f"{value:.4f}"
                for value in (
                    comparison.baseline.metrics[name],
                    comparison.candidate.metrics[name],
                )
            ),
        ]
        for name in comparison.untested
    ]
    if not rows:
        return Markup("")
    listed = table("Not tested", ["metric", "baseline", "candidate"], rows)
    return section("untested", "Without values of single queries, so not tested", listed)


def _meanings(names: Sequence[str]) -> Markup:
    terms = [
        piece
        for name, meaning in glossary(names)
        for piece in (element("dt", name), element("dd", meaning))
    ]
    return section("glossary", "What the words mean", element("dl", *terms))
