"""From measurements of an index to their report: recall with interval beside latency.

# Q = queries
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.ann import AnnCandidate, AnnMeasurement, AnnQueries
from evaluation.estimates import (
    Measurements,
    Statistics,
    detectable_differences,
    mean_metrics,
)
from evaluation.latency import latency_histogram, latency_metrics
from evaluation.provenance import Provenance
from evaluation.report import Cell, Report

_MB = 2**20
_DIGITS = 4


def ann_report(
    own: Sequence[AnnMeasurement],
    queries: Sequence[AnnQueries],
    swept: Sequence[AnnCandidate],
    *,
    name: str,
    rows: int,
    provenance: Provenance,
    statistics: Statistics,
) -> Report:
    """Return the report: metrics of the gallery's own index, and the sweep beside them.

    Metrics of image queries begin with ``image_``; the others are of text queries.
    """
    k = queries[0].exact_QK.shape[1]
    measured = _measurements(own, queries, k)
    metrics = mean_metrics(measured, statistics=statistics)
    for one in own:
        metrics |= latency_metrics(one.times_ms, statistics, prefix=_prefix(one.modality))
    table = [_row(candidate, k, statistics) for candidate in swept]
    return Report(
        kind="ann",
        metrics=metrics,
        provenance=provenance,
        comparable={
            "data": provenance.data_digest,
            "labels": None,
            "templates": None,
            "relevance": None,
        },
        settings={"index": name, "k": k},
        details={
            "queries": sum(len(one.ids) for one in queries),
            "gallery": rows,
            "latency_histogram": {one.modality: latency_histogram(one.times_ms) for one in own},
            "sweep": [dict(row) for row in table],
        },
        statistics=statistics,
        measured=measured,
        detectable=detectable_differences(measured),
        tables=_tables(table),
    )


def _tables(table: Sequence[Mapping[str, Cell]]) -> dict[str, list[Sequence[Cell]]]:
    if not table:
        return {}
    return {"sweep.csv": [tuple(table[0]), *(tuple(row.values()) for row in table)]}


def _measurements(
    own: Sequence[AnnMeasurement], queries: Sequence[AnnQueries], k: int
) -> Measurements:
    """Return a row per query; a metric of the other modality has no value in it."""
    counts = [len(one.ids) for one in queries]
    values: dict[str, np.ndarray] = {}
    start = 0
    for measurement, count in zip(own, counts, strict=True):
        prefix = _prefix(measurement.modality)
        for name, column in (
            ("ann_recall", measurement.recall_Q),
            ("ann_1_recall", measurement.first_Q),
        ):
            values[f"{prefix}{name}@{k}"] = np.full(sum(counts), np.nan)
            values[f"{prefix}{name}@{k}"][start : start + count] = column
        start += count
    ids = tuple(f"{one.modality}:{name}" for one in queries for name in one.ids)
    return Measurements(
        ids=ids,
        clusters=ids,
        groups=tuple(one.modality for one in queries for _ in one.ids),
        values=values,
        texts={"latency_ms": [took for one in own for took in one.times_ms]},
    )


def _row(candidate: AnnCandidate, k: int, statistics: Statistics) -> dict[str, Cell]:
    """Return one line of the sweep: plan, cost, then recall and latency of each modality."""
    plan = candidate.plan
    row: dict[str, Cell] = {
        "kind": plan.kind,
        "plan": plan.describe(),
        "probes": plan.probes,
        "depth": plan.depth,
        "build_s": round(candidate.build_s, _DIGITS),
        "memory_mb": round(candidate.memory_bytes / _MB, _DIGITS),
    }
    for one in candidate.measured:
        prefix = _prefix(one.modality)
        ids = tuple(map(str, range(len(one.recall_Q))))
        found = Measurements(ids, ids, ("",) * len(ids), {"recall": one.recall_Q}, {})
        recall = mean_metrics(found, statistics=statistics)["recall"]
        row[f"{prefix}ann_recall@{k}"] = recall.value
        row[f"{prefix}ci_low"], row[f"{prefix}ci_high"] = recall.ci_low, recall.ci_high
        for percentile in (50, 95, 99):
            row[f"{prefix}p{percentile}_ms"] = float(np.percentile(one.times_ms, percentile))
    return row


def _prefix(modality: str) -> str:
    return "" if modality == "text" else f"{modality}_"
