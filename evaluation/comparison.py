"""Two systems on the same queries: differences, their intervals, and whether they are chance.

Pairing matters: what is easy for one system is easy for the other, and the difference of each
query is known far better than either value.

# N = queries, M = metrics
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.intervals import (
    LEVEL,
    RESAMPLES,
    ClusterNames,
    Interval,
    check_resampling,
    intervals_of_means,
    smallest_detectable_difference,
)
from core.measures.resampling import clusters_of
from evaluation.significance import holm, mcnemar_exact, sign_flip_p_values

_LOWER_IS_BETTER = (
    "nll",
    "brier",
    "ece",
    "mce",
    "adaptive_ece",
    "class_wise_ece",
    "fpr95",
    "aurc",
    "selective_risk",
)
_LOWER_PREFIXES = ("latency",)


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two systems; differences are candidate minus baseline."""

    name: str
    baseline: float
    candidate: float
    difference: float
    interval: Interval
    """Of the difference: paired bootstrap over clusters."""
    p: float
    """Sign flips of clusters, two-sided."""
    p_holm: float
    """Corrected for the number of metrics that were compared."""
    p_mcnemar: float | None
    """Exact test, where every value is 0 or 1 and every query its own cluster; else ``None``."""
    wins: int
    """Queries on which the candidate is better."""
    ties: int
    losses: int
    smallest_detectable: float | None
    """Difference that would be found with 80 % power; ``None`` with fewer than two clusters."""
    n: int
    """Queries that have a value in both."""


def lower_is_better(name: str) -> bool:
    """Return whether a smaller value of this metric is the better one."""
    return name in _LOWER_IS_BETTER or name.startswith(_LOWER_PREFIXES)


def compare_values(
    baseline: Mapping[str, NDArray[np.float64]],
    candidate: Mapping[str, NDArray[np.float64]],
    *,
    clusters_N: ClusterNames = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """Compare the values per query of the same metrics, in the order of ``baseline``.

    Args:
        baseline: values per query (N,) of each metric; NaN is a query without a value.
        candidate: the same metrics, the same queries in the same order.
        clusters_N: name of each query's cluster, for example the image of a caption.
        level: of the intervals.
        resamples: bootstrap samples, and sign flips.
        seed: of both.

    Raises:
        UsageError: other metrics or lengths, nothing to compare, level or resamples out of range.
    """
    check_resampling(level, resamples)
    _check_alike(baseline, candidate)
    names = list(baseline)
    before_NM = np.stack([np.asarray(baseline[name], np.float64) for name in names], axis=1)
    after_NM = np.stack([np.asarray(candidate[name], np.float64) for name in names], axis=1)
    differences_NM = after_NM - before_NM
    clusters = clusters_of(clusters_N, rows=len(differences_NM))
    p_values = sign_flip_p_values(differences_NM, clusters, resamples=resamples, seed=seed)
    corrected = holm(p_values.tolist())
    intervals = intervals_of_means(
        dict(zip(names, differences_NM.T, strict=True)),
        clusters_N=clusters.of_row_N,
        level=level,
        resamples=resamples,
        seed=seed,
    )
    return tuple(
        _difference(
            name,
            before_NM[:, place],
            after_NM[:, place],
            interval=intervals[name],
            p=float(p_values[place]),
            p_holm=corrected[place],
            single=clusters.single,
            detectable=smallest_detectable_difference(
                differences_NM[:, place], clusters_N=clusters.of_row_N, level=level
            ),
        )
        for place, name in enumerate(names)
    )


def _difference(
    name: str,
    before_N: NDArray[np.float64],
    after_N: NDArray[np.float64],
    *,
    interval: Interval,
    p: float,
    p_holm: float,
    single: bool,
    detectable: float | None,
) -> Difference:
    """Put one metric's numbers together."""
    both_N = ~np.isnan(before_N) & ~np.isnan(after_N)
    before, after = before_N[both_N], after_N[both_N]
    better = after - before if not lower_is_better(name) else before - after
    wins, losses = int(np.count_nonzero(better > 0)), int(np.count_nonzero(better < 0))
    values = np.concatenate([before, after])
    binary = single and bool(np.all((values == 0.0) | (values == 1.0)))
    return Difference(
        name=name,
        baseline=float(before.mean()),
        candidate=float(after.mean()),
        difference=float(after.mean() - before.mean()),
        interval=interval,
        p=p,
        p_holm=p_holm,
        p_mcnemar=mcnemar_exact(wins, losses) if binary else None,
        wins=wins,
        ties=len(before) - wins - losses,
        losses=losses,
        smallest_detectable=detectable,
        n=len(before),
    )


def _check_alike(
    baseline: Mapping[str, NDArray[np.float64]], candidate: Mapping[str, NDArray[np.float64]]
) -> None:
    if not baseline or set(baseline) != set(candidate):
        raise UsageError(
            f"the baseline has the metrics {sorted(baseline)}, the candidate {sorted(candidate)}: "
            "expected the same, and one or more"
        )
    for name, before_N in baseline.items():
        after_N = candidate[name]
        if before_N.shape != after_N.shape:
            raise UsageError(
                f"{name}: {len(before_N)} and {len(after_N)} queries; expected the same queries"
            )
        if not np.any(~np.isnan(before_N) & ~np.isnan(after_N)):
            raise UsageError(f"{name}: no query has a value in both; leave the metric out")
