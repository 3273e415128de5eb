"""How far a number may be from the truth: confidence intervals, and what difference can be seen.

Wilson's interval where it holds (a proportion of independent rows), else the percentile bootstrap
over clusters. The same seed gives the same bytes.

# N = rows (queries or images), B = resamples
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.resampling import Clusters, clusters_of, resampled_means, resampled_rows
from core.types import IdArray

LEVEL = 0.95
"""Part of the intervals that hold the truth, by construction."""
RESAMPLES = 2000
"""Bootstrap samples: the bounds of a 95 % interval rest on 50 samples each."""
POWER = 0.8
"""Part of the differences of just that size that a test would find."""

ClusterNames = Sequence[str] | Sequence[int] | IdArray | None
Method = Literal["wilson", "bootstrap", "cluster bootstrap", "none"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of one number."""

    low: float | None
    high: float | None
    """``None`` where there is none: fewer than two clusters have a value."""
    method: Method


NO_INTERVAL = Interval(low=None, high=None, method="none")


def interval_of_mean(
    values_N: NDArray[np.float64],
    *,
    clusters_N: ClusterNames = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the interval of the mean of ``values_N``; NaN is a row without a value.

    Raises:
        UsageError: level or resamples out of range, or not one cluster name per row.
    """
    return intervals_of_means(
        {"mean": values_N}, clusters_N=clusters_N, level=level, resamples=resamples, seed=seed
    )["mean"]


def intervals_of_means(
    values: Mapping[str, NDArray[np.float64]],
    *,
    clusters_N: ClusterNames = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the interval of the mean of each metric; all of them see the same samples.

    Args:
        values: values per row of each metric; NaN is a row without a value.
        clusters_N: name of each row's cluster, for example the image of a caption.
        level: between 0 and 1.
        resamples: bootstrap samples.
        seed: of the samples.

    Raises:
        UsageError: level or resamples out of range, lengths differ, or not one name per row.
    """
    check_resampling(level, resamples)
    if not values:
        return {}
    lengths = {len(values_N) for values_N in values.values()}
    if len(lengths) != 1:
        raise UsageError(f"metrics have {sorted(lengths)} values: expected as many for each")
    clusters = clusters_of(clusters_N, rows=lengths.pop())
    found = {name: _without_samples(item, clusters, level) for name, item in values.items()}
    names = [name for name, interval in found.items() if interval is None]
    if names:
        stacked_NM = np.stack([np.asarray(values[name], np.float64) for name in names], axis=1)
        means_BM = resampled_means(stacked_NM, clusters, resamples=resamples, seed=seed)
        for name, means_B in zip(names, means_BM.T, strict=True):
            found[name] = _percentiles(means_B, clusters, level)
    return {name: interval or NO_INTERVAL for name, interval in found.items()}


def bootstrap(
    statistic: Callable[[IdArray], float],
    count: int,
    *,
    clusters_N: ClusterNames = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the percentile interval of any statistic of rows, for example of ECE.

    Arguments and errors as of :func:`bootstrap_each`; ``statistic`` returns one number.
    """

    def alone(rows: IdArray) -> tuple[float]:
        return (statistic(rows),)

    (found,) = bootstrap_each(
        alone, count, clusters_N=clusters_N, level=level, resamples=resamples, seed=seed
    )
    return found


def bootstrap_each(
    statistics: Callable[[IdArray], Sequence[float]],
    count: int,
    *,
    clusters_N: ClusterNames = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Return the percentile interval of each of several statistics of the same samples.

    Args:
        statistics: takes the rows of a sample (each as often as it was drawn) and returns numbers,
            always as many; NaN where the sample has none.
        count: rows in all.
        clusters_N: name of each row's cluster, for example the image of a caption.
        level: between 0 and 1.
        resamples: bootstrap samples.
        seed: of the samples.

    Source: Efron, Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.

    Raises:
        UsageError: level or resamples out of range, or not one cluster name per row.
    """
    check_resampling(level, resamples)
    clusters = clusters_of(clusters_N, rows=count)
    if clusters.count < 2:  # noqa: PLR2004 - one cluster has no spread
        return [NO_INTERVAL for _ in statistics(np.arange(count))]
    samples = resampled_rows(clusters, resamples=resamples, seed=seed)
    found_BM = np.array([statistics(rows) for rows in samples], np.float64)
    return [_percentiles(found_B, clusters, level) for found_B in found_BM.T]


def wilson_interval(successes: int, count: int, *, level: float = LEVEL) -> Interval:
    """Return the score interval of a proportion of independent rows.

    Source: Wilson 1927, JASA 22, pages 209-212.

    Raises:
        UsageError: no rows, or more successes than rows.
    """
    if not 0 <= successes <= count or count < 1:
        raise UsageError(f"{successes} successes of {count}: expected 0 to count, count 1 or more")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    proportion, shrink = successes / count, 1 + z * z / count
    centre = (proportion + z * z / (2 * count)) / shrink
    spread = proportion * (1 - proportion) / count + z * z / (4 * count * count)
    half = z * math.sqrt(spread) / shrink
    # At 0 and at count one bound is exact; rounding must not put it on the other side.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == count else min(1.0, centre + half)
    return Interval(low=low, high=high, method="wilson")


def smallest_detectable_difference(
    values_N: NDArray[np.float64],
    *,
    clusters_N: ClusterNames = None,
    level: float = LEVEL,
    power: float = POWER,
) -> float | None:
    """Return the smallest shift of the mean that a two-sided test finds with that power.

    (z of level + z of power) times the standard error, by cluster. Of one system's values it is a
    shift from a fixed number; of the differences of two systems, between the two.
    ``None`` with fewer than two clusters.

    Source: Cohen 1988, Statistical Power Analysis, section 2.4; standard error of a ratio over
    clusters: Cochran 1977, Sampling Techniques, section 11.7.
    """
    known_N = ~np.isnan(values_N)
    clusters = clusters_of(clusters_N, rows=len(values_N))
    mean = float(np.mean(values_N[known_N])) if known_N.any() else 0.0
    residuals_N = np.where(known_N, values_N - mean, 0.0)
    sums_G2 = clusters.sums(np.stack([residuals_N, known_N.astype(np.float64)], axis=1))
    used = int(np.count_nonzero(sums_G2[:, 1]))
    if used < 2:  # noqa: PLR2004 - one cluster has no spread
        return None
    variance = used / (used - 1) * float(np.sum(sums_G2[:, 0] ** 2)) / float(known_N.sum()) ** 2
    normal = NormalDist()
    return (normal.inv_cdf(0.5 + level / 2) + normal.inv_cdf(power)) * math.sqrt(variance)


def check_resampling(level: float, resamples: int) -> None:
    """Refuse a level outside of 0 to 1 and too few samples.

    Raises:
        UsageError: with the value and the limit.
    """
    if not 0.0 < level < 1.0:
        raise UsageError(f"level = {level}: expected a number between 0 and 1", param="level")
    if resamples < 1:
        raise UsageError(f"resamples = {resamples}: expected 1 or more", param="resamples")


def _without_samples(
    values_N: NDArray[np.float64], clusters: Clusters, level: float
) -> Interval | None:
    """Return the interval where no sample is needed for it, else ``None``."""
    known_N = ~np.isnan(values_N)
    if len(np.unique(clusters.of_row_N[known_N])) < 2:  # noqa: PLR2004 - one has no spread
        return NO_INTERVAL
    values = values_N[known_N]
    if clusters.single and np.all((values == 0.0) | (values == 1.0)):
        return wilson_interval(int(values.sum()), len(values), level=level)
    return None


def _percentiles(samples_B: NDArray[np.float64], clusters: Clusters, level: float) -> Interval:
    known_B = samples_B[~np.isnan(samples_B)]
    if len(known_B) == 0:
        return NO_INTERVAL
    low, high = np.quantile(known_B, [0.5 - level / 2, 0.5 + level / 2])
    method: Method = "bootstrap" if clusters.single else "cluster bootstrap"
    return Interval(low=float(low), high=float(high), method=method)
