"""``sightline evaluate compare``: two reports query by query; is a difference more than chance?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_table
from core.errors import ConflictError

if TYPE_CHECKING:
    from evaluation.comparison import Difference
    from evaluation.report_comparison import ReportComparison

NOT_COMPARABLE = 3
"""Exit code where two reports measured different things."""

_PATH = click.Path(path_type=Path)


@click.command(name="compare")
@click.argument("baseline", type=_PATH)
@click.argument("candidate", type=_PATH)
@click.option("--metrics", help="Which metrics, with commas, or all.  [default: headlines]")
@click.option("--different-data", is_flag=True, help="Compare the queries that both have.")
@click.option("--ci", default=0.95, show_default=True, help="Level of the intervals.")
@click.option("--resamples", default=2000, show_default=True, help="Bootstrap samples, sign flips.")
@click.option("--seed", default=0, show_default=True, help="Of both.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--html", type=_PATH, help="Write the comparison as a page, too.")
def command(
    *,
    baseline: Path,
    candidate: Path,
    metrics: str | None,
    different_data: bool,
    ci: float,
    resamples: int,
    seed: int,
    as_json: bool,
    html: Path | None,
) -> None:
    """Compare two report folders on the same queries.

    The interval is of the difference (bootstrap over clusters), p of random sign flips, corrected
    by Holm for the number of metrics: by default hit, recall and nDCG at each k, AP, RR, accuracy,
    Brier and NLL. Exit codes: 0 compared, 2 usage, 3 not comparable: the
    digests of data, labels, templates or relevance differ.

    \b
    Examples:
      sightline evaluate compare reports/old reports/new
      sightline evaluate compare reports/old reports/new --metrics hit@1,recall@10 --json
      sightline evaluate compare reports/old reports/new --html difference.html
    """
    from core.artifacts import write_atomic
    from evaluation.html_comparison import comparison_page
    from evaluation.report_comparison import compare_reports, comparison_json
    from evaluation.report_reading import read_report

    try:
        comparison = compare_reports(
            read_report(baseline),
            read_report(candidate),
            metrics=None if metrics is None else [name.strip() for name in metrics.split(",")],
            different_data=different_data,
            level=ci,
            resamples=resamples,
            seed=seed,
        )
    except ConflictError as error:
        note(f"sightline: {error}")
        sys.exit(NOT_COMPARABLE)
    if html is not None:
        write_atomic(html, comparison_page(comparison).encode())
        note(f"page written to {html}")
    if as_json:
        print_json(comparison_json(comparison))
        return
    _show(comparison)


def _show(comparison: ReportComparison) -> None:
    """Print a row per metric; what it rests on goes to stderr."""
    before, after = comparison.baseline, comparison.candidate
    note(
        f"{comparison.queries} queries in {comparison.clusters} clusters; baseline {before.path} "
        f"({before.model}), candidate {after.path} ({after.model})"
    )
    if comparison.differing:
        note(f"these differ: {', '.join(comparison.differing)}; compare with care")
    if comparison.unmatched:
        note(f"{comparison.unmatched} queries are in one report only and are left out")
    if comparison.untested:
        note(f"no values of single queries, so not tested: {', '.join(comparison.untested)}")
    header = ("metric", "baseline", "candidate", "difference", "interval", "p", "Holm p")
    print_table(
        [*header, "McNemar", "win/tie/loss", "detectable"],
        [_row(item) for item in comparison.differences],
    )


def _row(item: Difference) -> list[str]:
    low, high = item.interval.low, item.interval.high
    return [
        item.name,
        f"{item.baseline:.4f}",
        f"{item.candidate:.4f}",
        f"{item.difference:+.4f}",
        "-" if low is None or high is None else f"{low:+.4f} to {high:+.4f}",
        f"{item.p:.4f}",
        f"{item.p_holm:.4f}",
        "-" if item.p_mcnemar is None else f"{item.p_mcnemar:.4f}",
        f"{item.wins}/{item.ties}/{item.losses}",
        "-" if item.smallest_detectable is None else f"{item.smallest_detectable:.4f}",
    ]
