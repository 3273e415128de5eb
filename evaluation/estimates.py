"""From values of single queries to metrics with their intervals, over all of them or a slice.

# N = queries (or images): the units that were measured
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.measures.intervals import Interval, intervals_of_means, smallest_detectable_difference

Values = NDArray[np.float64]
"""One number per unit; NaN where the unit has none."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """How intervals are computed; the same settings give the same bytes."""

    level: float = 0.95
    """Confidence level."""
    resamples: int = 2000
    """Bootstrap draws: enough for two digits of a 95 % interval."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a report."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    """Units that it is the mean of."""
    n_no_rel: int = 0
    """Queries that were left out because nothing is relevant to them."""
    unit: str = "query"
    """What was counted: query, image, class, draw; or ms for a time."""
    method: str = "none"
    """How the interval was made."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Every unit that was measured: the rows of ``per_query.csv``."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """Units of one cluster are drawn together: captions of one image are no separate evidence."""
    groups: tuple[str, ...]
    """Value of the field that slices are made of; empty where there is none."""
    values: dict[str, Values]
    """One column per metric, whose mean over the units that have a value is the metric."""
    texts: Mapping[str, Sequence[str | int | float | None]]
    """Further columns for people and plots."""


def mean_metrics(
    measured: Measurements,
    *,
    statistics: Statistics,
    n_no_rel: int = 0,
    unit: str = "query",
    rows: NDArray[np.bool_] | None = None,
) -> dict[str, Metric]:
    """Return the macro mean of each column with its interval.

    Args:
        measured: the units.
        statistics: of the intervals.
        n_no_rel: queries that are no rows because nothing is relevant to them.
        unit: what a row is.
        rows: mask (N,) of the ones to use; all of them by default.
    """
    chosen = np.ones(len(measured.ids), bool) if rows is None else rows
    values = {name: column[chosen] for name, column in measured.values.items()}
    clusters = [name for name, use in zip(measured.clusters, chosen, strict=True) if use]
    intervals = intervals_of_means(
        values,
        clusters_N=clusters,
        level=statistics.level,
        resamples=statistics.resamples,
        seed=statistics.seed,
    )
    return {
        name: mean_metric(column, intervals[name], n_no_rel=n_no_rel, unit=unit)
        for name, column in values.items()
    }


def mean_metric(
    values_N: Values, interval: Interval, *, n_no_rel: int = 0, unit: str = "query"
) -> Metric:
    """Return the mean of the values that there are, with a given interval."""
    known = values_N[~np.isnan(values_N)]
    return Metric(
        value=float(known.mean()) if len(known) else None,
        ci_low=interval.low,
        ci_high=interval.high,
        n=len(known),
        n_no_rel=n_no_rel,
        unit=unit,
        method=interval.method,
    )


def detectable_differences(measured: Measurements) -> dict[str, float | None]:
    """Return for each metric the smallest difference to another system that would be noticed."""
    return {
        name: smallest_detectable_difference(column, clusters_N=measured.clusters)
        for name, column in measured.values.items()
    }


def slice_metrics(
    measured: Measurements, *, statistics: Statistics, unit: str = "query"
) -> dict[str, dict[str, Metric]]:
    """Return the metrics of each group apart, in order of the group's name."""
    groups = np.array(measured.groups, object)
    return {
        group: mean_metrics(measured, statistics=statistics, unit=unit, rows=groups == group)
        for group in sorted(set(measured.groups))
    }
