"""Real report folders for tests of what reads them: written by the writer of the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluation.estimates import Measurements, Metric, Statistics, mean_metrics
from evaluation.provenance import Provenance
from evaluation.report import Report, write_report

STATISTICS = Statistics(resamples=50)


def write_queries(
    folder: Path,
    values: Mapping[str, Sequence[float]],
    *,
    ids: Sequence[str] | None = None,
    clusters: Sequence[str] | None = None,
    further: Mapping[str, float | None] | None = None,
    digests: Mapping[str, str | None] | None = None,
    kind: str = "retrieval",
) -> Path:
    """Write a report of these values per query and return its folder.

    Args:
        folder: a new one.
        values: per query, by metric.
        ids: of the queries; by default q0, q1 ...
        clusters: of the queries; by default each its own.
        further: metrics without values per query.
        digests: of what was measured, over the usual ones.
        kind: of the report.
    """
    count = len(next(iter(values.values()))) if values else 0
    names = tuple(ids or [f"q{place}" for place in range(count)])
    measured = Measurements(
        ids=names,
        clusters=tuple(clusters or names),
        groups=("",) * count,
        values={name: np.array(column, np.float64) for name, column in values.items()},
        texts={"text": ["a caption"] * count},
    )
    metrics = mean_metrics(measured, statistics=STATISTICS) if values else {}
    metrics |= {name: Metric(one, None, None, n=1) for name, one in (further or {}).items()}
    usual = {"data": "d1", "labels": None, "templates": None, "relevance": "r1"}
    report = Report(
        kind=kind,
        metrics=metrics,
        provenance=Provenance(encoder_id="e1", model="tiny"),
        comparable={**usual, **(digests or {})},
        settings={},
        details={},
        statistics=STATISTICS,
        measured=measured if values else None,
    )
    write_report(report, folder)
    return folder
