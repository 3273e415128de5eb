"""Every ranked metric of every query at once; ``core.measures.metrics`` defines them one by one.

A query without relevant items is NaN in each metric: it is in no mean and is counted. The mean of
a column over the others (macro: every query weighs the same) is the metric; ``micro_values`` pools
the items of all queries first.

# N = queries, T = relevant items found, J = relevant items in all
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.judged_ranks import JudgedRanks

Values = NDArray[np.float64]
"""One value per query (N,)."""


def query_values(judged: JudgedRanks, ks: Sequence[int]) -> dict[str, Values]:
    """Return the values of each metric by its name in a report, each (N,).

    The order is that of reports: cut-offs first, then what looks at the whole list.

    Raises:
        UsageError: no cut-off, or one below 1.
    """
    if not ks or min(ks) < 1:
        raise UsageError(f"k = {list(ks)}: expected one or more, each 1 or more", param="k")
    values: dict[str, Values] = {}
    for k in ks:
        for name, metric in AT_K.items():
            values[f"{name}@{k}"] = metric(judged, k)
    return values | {name: metric(judged) for name, metric in WHOLE_LIST.items()}


def micro_values(judged: JudgedRanks, ks: Sequence[int]) -> dict[str, float]:
    """Return precision, recall and F1 at each k of the items of all queries pooled.

    Source: Manning, Raghavan, Schuetze 2008, section 13.6.
    """
    queries = judged.queries - judged.queries_without_relevant
    relevant = len(judged.judged_query_J)
    values: dict[str, float] = {}
    for k in ks:
        found = int(np.count_nonzero(judged.ranks_T <= k))
        values[f"micro_precision@{k}"] = found / (queries * k) if queries else float("nan")
        values[f"micro_recall@{k}"] = found / relevant if relevant else float("nan")
        values[f"micro_f1@{k}"] = 2 * found / (queries * k + relevant) if relevant else float("nan")
    return values


def precision_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return r_k / k of each query."""
    return _known(judged, _found(judged, k) / k)


def recall_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return r_k / R of each query."""
    return _over(_found(judged, k), judged.relevant_N)


def hit_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return 1 for each query with a relevant item in the first k, else 0."""
    return _known(judged, (_found(judged, k) > 0).astype(np.float64))


def capped_recall_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return r_k / min(k, R) of each query."""
    return _over(_found(judged, k), np.minimum(judged.relevant_N, k))


def f1_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return 2 r_k / (k + R) of each query."""
    return _known(judged, 2 * _found(judged, k) / (k + judged.relevant_N))


def reciprocal_rank(judged: JudgedRanks, k: int | None = None) -> Values:
    """Return 1 / rank of the first relevant item of each query; 0 where none is in the first k."""
    first_N = np.zeros(judged.queries)
    first_T = judged.place_T() == 1
    if k is not None:
        first_T &= judged.ranks_T <= k
    first_N[judged.query_T[first_T]] = 1.0 / judged.ranks_T[first_T]
    return _known(judged, first_N)


def average_precision(judged: JudgedRanks) -> Values:
    """Return AP of each query: not truncated, relevant items that are missed count 0."""
    return _over(_precision_sum(judged, None), judged.relevant_N)


def average_precision_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return AP cut at k and divided by R, of each query."""
    return _over(_precision_sum(judged, k), judged.relevant_N)


def capped_average_precision_at_k(judged: JudgedRanks, k: int) -> Values:
    """Return AP cut at k and divided by min(R, k), of each query."""
    return _over(_precision_sum(judged, k), np.minimum(judged.relevant_N, k))


def r_precision(judged: JudgedRanks) -> Values:
    """Return the precision at R of each query."""
    within_T = judged.ranks_T <= judged.relevant_N[judged.query_T]
    found_N = np.bincount(judged.query_T[within_T], minlength=judged.queries)
    return _over(found_N, judged.relevant_N)


def ndcg(judged: JudgedRanks, k: int | None = None) -> Values:
    """Return nDCG of each query with the grade as gain, cut at k."""
    return _ndcg(judged, k, judged.grades_T, judged.judged_grades_J)


def ndcg_exponential(judged: JudgedRanks, k: int | None = None) -> Values:
    """Return nDCG of each query with the gain 2^grade - 1, cut at k."""
    return _ndcg(judged, k, np.exp2(judged.grades_T) - 1, np.exp2(judged.judged_grades_J) - 1)


AT_K: dict[str, Callable[[JudgedRanks, int], Values]] = {
    "precision": precision_at_k,
    "recall": recall_at_k,
    "hit": hit_at_k,
    "capped_recall": capped_recall_at_k,
    "f1": f1_at_k,
    "mean_average_precision": average_precision_at_k,
    "mean_capped_average_precision": capped_average_precision_at_k,
    "mean_reciprocal_rank": reciprocal_rank,
    "ndcg": ndcg,
    "ndcg_exponential": ndcg_exponential,
}
"""Metrics with a cut-off, by name; in a report each is ``name@k``."""
WHOLE_LIST: dict[str, Callable[[JudgedRanks], Values]] = {
    "mean_average_precision": average_precision,
    "mean_reciprocal_rank": reciprocal_rank,
    "mean_r_precision": r_precision,
    "ndcg": ndcg,
    "ndcg_exponential": ndcg_exponential,
}
"""Metrics of the whole list, by name."""


def _found(judged: JudgedRanks, k: int) -> NDArray[np.int64]:
    """Return r_k of each query."""
    if k < 1:
        raise UsageError(f"k = {k}: expected 1 or more", param="k")
    return np.bincount(judged.query_T[judged.ranks_T <= k], minlength=judged.queries)


def _precision_sum(judged: JudgedRanks, k: int | None) -> Values:
    """Return the sum of the precisions at the ranks of the relevant items."""
    precision_T = judged.place_T() / judged.ranks_T
    if k is not None:
        precision_T = np.where(judged.ranks_T <= k, precision_T, 0.0)
    sum_N = np.bincount(judged.query_T, weights=precision_T, minlength=judged.queries)
    return sum_N.astype(np.float64)


def _ndcg(
    judged: JudgedRanks, k: int | None, gains_T: NDArray[np.float64], ideal_J: NDArray[np.float64]
) -> Values:
    own_N = _dcg(judged.query_T, judged.ranks_T, gains_T, k, judged.queries)
    best_N = _dcg(judged.judged_query_J, judged.ideal_rank_J(), ideal_J, k, judged.queries)
    return _over(own_N, best_N)


def _dcg(
    query_T: NDArray[np.int64],
    ranks_T: NDArray[np.int64],
    gains_T: NDArray[np.float64],
    k: int | None,
    queries: int,
) -> Values:
    """Return the sum of gain / log2(rank + 1) of each query."""
    discounted_T = gains_T / np.log2(ranks_T + 1)
    if k is not None:
        discounted_T = np.where(ranks_T <= k, discounted_T, 0.0)
    sum_N = np.bincount(query_T, weights=discounted_T, minlength=queries)
    return sum_N.astype(np.float64)


def _over(
    numerator_N: NDArray[np.float64] | NDArray[np.int64],
    denominator_N: NDArray[np.float64] | NDArray[np.int64],
) -> Values:
    """Return the ratio; NaN where nothing is relevant."""
    ratio_N = np.full(len(numerator_N), np.nan)
    np.divide(numerator_N, denominator_N, out=ratio_N, where=denominator_N > 0)
    return ratio_N


def _known(judged: JudgedRanks, values_N: Values) -> Values:
    """Return the values with NaN for the queries that have nothing relevant."""
    return np.where(judged.relevant_N > 0, values_N, np.nan)
