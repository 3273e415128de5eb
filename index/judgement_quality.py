"""How good search is now: judged queries asked again, their hits against the marks.

The formulas are those of ``sightline evaluate`` (``core.measures``). A hit that nobody judged is
not silently wrong: beside the metrics as they are stand those of condensed lists, and the share of
the first k that is judged.

# N = queries, K = hits of one query
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import NotFoundError, QueryError
from core.measures.intervals import Interval, intervals_of_means
from core.measures.judged_ranks import JudgedRanks
from core.measures.judged_share import condensed, judged_at_k, judged_precision_at_k
from core.measures.query_metrics import AT_K
from index.gallery import Gallery
from index.judged_queries import JudgedQuery
from index.judgements import judgements_of
from index.query import MOST_K

SHOWN = ("precision", "recall", "hit", "mean_reciprocal_rank", "ndcg")
"""Metrics of ``core.measures.query_metrics`` that are given, each also of condensed lists."""
DEPTH = 100
"""Hits of each query that are looked at, or k where that is more: what condensed lists are made
of."""


@dataclass(frozen=True, slots=True)
class QueryQuality:
    """One judged query, asked again."""

    query: JudgedQuery
    right: int
    wrong: int
    values: Mapping[str, float | None]
    """By name of the metric; ``None`` where it is not defined."""
    error: str | None = None
    """Why it cannot be asked any more, for example because the item that it names is gone."""


@dataclass(frozen=True, slots=True)
class MeanQuality:
    """The mean of one metric."""

    value: float | None
    interval: Interval
    n: int
    """Queries that have a value."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What the judged queries say."""

    k: int
    queries: tuple[QueryQuality, ...]
    mean: Mapping[str, MeanQuality]
    without_right: int = field(default=0)
    """Queries with wrong hits alone: they have no recall and no rank of a first right one."""


def live_quality(
    gallery: Gallery,
    queries: Sequence[JudgedQuery],
    *,
    k: int,
    before_each: Callable[[], None] = lambda: None,
) -> Quality:
    """Ask judged queries of a gallery and compare their hits with the marks.

    Args:
        gallery: to search.
        queries: those that are judged.
        k: cut-off.
        before_each: called before each search; may raise to end the work.

    Raises:
        UsageError: k out of range.
    """
    marks = judgements_of(gallery.collection.store, queries)
    asked: list[tuple[JudgedQuery, dict[str, int], list[str] | str]] = []
    for query in queries:
        before_each()
        grades = {mark.item_id: mark.grade for mark in marks[query.id] if mark.present}
        asked.append((query, grades, hits_of(gallery, query, depth=min(MOST_K, max(k, DEPTH)))))
    return quality_of(asked, k=k)


def hits_of(gallery: Gallery, query: JudgedQuery, *, depth: int = DEPTH) -> list[str] | str:
    """Return the ids of the hits of a judged query, best first, or why it cannot be asked."""
    try:
        return [hit.id for hit in gallery.search(query.query(k=depth)).hits]
    except (NotFoundError, QueryError) as error:
        return str(error)


def judged_run(
    gallery: Gallery,
    queries: Sequence[JudgedQuery],
    *,
    depth: int = DEPTH,
    before_each: Callable[[], None] = lambda: None,
) -> dict[str, list[str]]:
    """Return the ids of the hits of judged queries by query id; one that cannot be asked has none.

    Args:
        gallery: to search.
        queries: those that are judged.
        depth: hits of each.
        before_each: called before each search; may raise to end the work.
    """
    run: dict[str, list[str]] = {}
    for query in queries:
        before_each()
        hits = hits_of(gallery, query, depth=depth)
        if not isinstance(hits, str):
            run[query.id] = hits
    return run


def quality_of(
    asked: Sequence[tuple[JudgedQuery, Mapping[str, int], Sequence[str] | str]], *, k: int
) -> Quality:
    """Return the metrics of queries, each with its grades and its hits or why there are none.

    Raises:
        UsageError: k below 1.
    """
    answered = [
        (grades, list(hits)) for _, grades, hits in asked if not isinstance(hits, str) and grades
    ]
    values = metrics_of([hits for _, hits in answered], [grades for grades, _ in answered], k=k)
    rows = iter(range(len(answered)))
    queries = []
    for query, grades, hits in asked:
        right = sum(grade > 0 for grade in grades.values())
        row = next(rows) if not isinstance(hits, str) and grades else None
        own = {} if row is None else {name: _plain(found[row]) for name, found in values.items()}
        error = hits if isinstance(hits, str) else None
        queries.append(QueryQuality(query, right, len(grades) - right, own, error))
    return Quality(
        k=k,
        queries=tuple(queries),
        mean=_means(values),
        without_right=sum(not any(grades.values()) for grades, _ in answered),
    )


def metrics_of(
    ranked_N: Sequence[Sequence[str]], grades_N: Sequence[Mapping[str, int]], *, k: int
) -> dict[str, NDArray[np.float64]]:
    """Return the value of each metric for each list (N,), NaN where it has none.

    Raises:
        UsageError: k below 1.
    """
    condensed_N = [
        condensed(ranked, grades) for ranked, grades in zip(ranked_N, grades_N, strict=True)
    ]
    whole, short = _judged(ranked_N, grades_N), _judged(condensed_N, grades_N)
    values = {f"{name}@{k}": AT_K[name](whole, k) for name in SHOWN}
    values |= {f"condensed_{name}@{k}": AT_K[name](short, k) for name in SHOWN}
    pairs = list(zip(ranked_N, grades_N, strict=True))
    values[f"judged_precision@{k}"] = np.array([judged_precision_at_k(*one, k) for one in pairs])
    values[f"judged@{k}"] = np.array([judged_at_k(*one, k) for one in pairs])
    return values


def _judged(
    ranked_N: Sequence[Sequence[str]], grades_N: Sequence[Mapping[str, int]]
) -> JudgedRanks:
    ranks, missed = [], []
    for ranked, grades in zip(ranked_N, grades_N, strict=True):
        found = [rank for rank, name in enumerate(ranked, start=1) if grades.get(name, 0) > 0]
        ranks.append(found)
        missed.append([1.0] * (sum(grade > 0 for grade in grades.values()) - len(found)))
    return JudgedRanks.of_lists(ranks, missed_N=missed)


def _means(values: Mapping[str, NDArray[np.float64]]) -> dict[str, MeanQuality]:
    intervals = intervals_of_means(values) if all(map(len, values.values())) else {}
    means = {}
    for name, interval in intervals.items():
        known = values[name][~np.isnan(values[name])]
        mean = float(known.mean()) if len(known) else None
        means[name] = MeanQuality(mean, interval, len(known))
    return means


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
