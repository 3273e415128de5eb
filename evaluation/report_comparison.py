"""Two report folders side by side, after making sure that they measured the same thing.

# N = queries that both reports have
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import ConflictError, UsageError
from core.measures.intervals import LEVEL, RESAMPLES
from core.types import JSONObject
from evaluation.comparison import Difference, compare_values
from evaluation.report_reading import PerQuery, StoredReport

ALL = "all"
"""Stands for every metric that both reports have."""
_HEADLINES = ("hit@", "recall@", "ndcg@")
_HEADLINE_NAMES = (
    "mean_average_precision",
    "mean_reciprocal_rank",
    "accuracy",
    "accuracy_top5",
    "brier",
    "nll",
)


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """What changed from the baseline to the candidate."""

    baseline: StoredReport
    candidate: StoredReport
    differences: tuple[Difference, ...]
    """Of the metrics that have a value per query."""
    untested: tuple[str, ...]
    """Metrics of both reports without values per query: no test is possible."""
    queries: int
    clusters: int
    unmatched: int
    """Queries that only one of the reports has."""
    differing: tuple[str, ...]
    """Digests that differ; empty unless it was allowed."""


def compare_reports(
    baseline: StoredReport,
    candidate: StoredReport,
    *,
    metrics: Sequence[str] | None = None,
    different_data: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ReportComparison:
    """Compare two reports query by query; queries are matched by id.

    Args:
        baseline: the report to compare with.
        candidate: the report that may be better.
        metrics: which ones, or ``["all"]``; by default the headlines (``headline_names``), for p
            values are corrected for the number of metrics: each further one costs power.
        different_data: compare although data, labels, templates or queries differ.
        level: of the intervals.
        resamples: bootstrap samples, and sign flips.
        seed: of both.

    Raises:
        ConflictError: the reports measured different things.
        UsageError: nothing to compare, or a metric that the reports do not have.
    """
    differing = differing_digests(baseline, candidate)
    if not different_data:
        require_comparable(baseline, candidate)
    before, after = _per_query(baseline), _per_query(candidate)
    rows = _matched(before, after, different_data=different_data)
    names = _chosen([name for name in before.values if name in after.values], metrics)
    rows_before, rows_after = [one for one, _ in rows], [other for _, other in rows]
    clusters = [before.clusters[row] for row in rows_before]
    return ReportComparison(
        baseline=baseline,
        candidate=candidate,
        differences=compare_values(
            {name: before.values[name][rows_before] for name in names},
            {name: after.values[name][rows_after] for name in names},
            clusters_N=clusters,
            level=level,
            resamples=resamples,
            seed=seed,
        ),
        untested=tuple(
            name
            for name in baseline.metrics
            if metrics is None and name in candidate.metrics and name not in before.values
        ),
        queries=len(rows),
        clusters=len(set(clusters)),
        unmatched=len(before.ids) + len(after.ids) - 2 * len(rows),
        differing=differing,
    )


def differing_digests(baseline: StoredReport, candidate: StoredReport) -> tuple[str, ...]:
    """Return the names of what the reports do not have in common; empty if they are comparable."""
    names = sorted({*baseline.comparable, *candidate.comparable})
    differing = [
        name for name in names if baseline.comparable.get(name) != candidate.comparable.get(name)
    ]
    return (*(["kind"] if baseline.kind != candidate.kind else []), *differing)


def headline_names(names: Sequence[str]) -> list[str]:
    """Return the metrics that are compared by default; all of them if there is no headline."""
    headlines = [name for name in names if name.startswith(_HEADLINES) or name in _HEADLINE_NAMES]
    return headlines or list(names)


def require_comparable(baseline: StoredReport, candidate: StoredReport) -> None:
    """Refuse reports that measured different things.

    Raises:
        ConflictError: with the names of what differs.
    """
    differing = differing_digests(baseline, candidate)
    if differing:
        raise ConflictError(
            f"{baseline.path} and {candidate.path} are not comparable: {', '.join(differing)} "
            "differ; evaluate both on the same (compare --different-data takes the queries that "
            "both have)"
        )


def check_names(names: Iterable[str], known: Sequence[str], *, where: str) -> None:
    """Refuse a metric that a report does not have.

    Raises:
        UsageError: with the nearest name that it has.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"{where}: the reports have no metric {name!r}; {remedy}", param=where)


def comparison_json(comparison: ReportComparison) -> JSONObject:
    """Return the comparison as strict JSON."""
    before, after = comparison.baseline, comparison.candidate
    return {
        "baseline": {"path": str(before.path), "model": before.model},
        "candidate": {"path": str(after.path), "model": after.model},
        "queries": comparison.queries,
        "clusters": comparison.clusters,
        "unmatched_queries": comparison.unmatched,
        "differing": list(comparison.differing),
        "metrics": {item.name: difference_json(item) for item in comparison.differences},
        "untested": {
            name: {"baseline": before.metrics[name], "candidate": after.metrics[name]}
            for name in comparison.untested
        },
    }


def difference_json(item: Difference) -> JSONObject:
    """Return one difference as strict JSON."""
    fields: JSONObject = dataclasses.asdict(item)
    interval, _ = fields.pop("interval"), fields.pop("name")
    assert isinstance(interval, dict)
    fields |= {"ci_low": interval["low"], "ci_high": interval["high"], "method": interval["method"]}
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in fields.items()
    }


def _per_query(report: StoredReport) -> PerQuery:
    if report.queries is None or not report.queries.ids:
        raise UsageError(
            f"{report.path} has no values of single queries (per_query.csv), so there is nothing "
            "to pair; a report of kind retrieval, score, classify or probe has them"
        )
    return report.queries


def _chosen(names: Sequence[str], metrics: Sequence[str] | None) -> list[str]:
    """Return the metrics to compare, in the order of the reports."""
    if metrics is None:
        return headline_names(names)
    if list(metrics) == [ALL]:
        return list(names)
    check_names(metrics, names, where="metrics")
    return [name for name in names if name in metrics]


def _matched(before: PerQuery, after: PerQuery, *, different_data: bool) -> list[tuple[int, int]]:
    """Return the rows of the queries that both have, in the order of the first."""
    places = {name: place for place, name in enumerate(after.ids)}
    rows = [(place, places[name]) for place, name in enumerate(before.ids) if name in places]
    if not different_data and not len(rows) == len(before.ids) == len(after.ids):
        raise ConflictError(
            f"only {len(rows)} of {len(before.ids)} and {len(after.ids)} queries are in both "
            "reports; evaluate both on the same (compare --different-data takes the ones in both)"
        )
    if not rows:
        raise UsageError("no query is in both reports; there is nothing to pair")
    return rows
