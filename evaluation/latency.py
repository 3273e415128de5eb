"""How long answers took: percentiles with their intervals, and a histogram for plots.

# N = queries
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.measures.intervals import bootstrap
from core.types import JSONValue
from evaluation.estimates import Metric, Statistics

_PERCENTILES = (50, 95, 99)
_BINS = 40


def latency_metrics(
    times_ms: Sequence[float], statistics: Statistics, *, prefix: str = ""
) -> dict[str, Metric]:
    """Return ``latency_p50_ms``, ``latency_p95_ms`` and ``latency_p99_ms``."""
    times_N = np.asarray(times_ms, np.float64)
    if not len(times_N):
        return {}
    return {
        f"{prefix}latency_p{percentile}_ms": _percentile(times_N, percentile, statistics)
        for percentile in _PERCENTILES
    }


def latency_histogram(times_ms: Sequence[float]) -> list[JSONValue]:
    """Return bins of equal width in log time: ``from_ms``, ``to_ms``, ``queries``."""
    times_N = np.maximum(np.asarray(times_ms, np.float64), 1e-6)
    if not len(times_N):
        return []
    low, high = float(times_N.min()), float(times_N.max())
    edges = np.geomspace(low, max(high, low * (1 + 1e-9)), _BINS + 1)
    edges[0], edges[-1] = low, max(high, float(edges[-1]))
    counts, _ = np.histogram(times_N, edges)
    return [
        {"from_ms": float(start), "to_ms": float(end), "queries": int(count)}
        for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def _percentile(times_N: np.ndarray, percentile: int, statistics: Statistics) -> Metric:
    interval = bootstrap(
        lambda rows: float(np.percentile(times_N[rows], percentile)),
        len(times_N),
        level=statistics.level,
        resamples=statistics.resamples,
        seed=statistics.seed,
    )
    return Metric(
        value=float(np.percentile(times_N, percentile)),
        ci_low=interval.low,
        ci_high=interval.high,
        n=len(times_N),
        unit="ms",
        method=interval.method,
    )
