"""Metrics of one ranked list, from the ranks of its relevant items. Pure NumPy.

Every function takes ``ranks_R``: the ranks, counted from 1, of the relevant items that the list
holds. ``relevant`` is R, how many relevant items there are in all, for lists that miss some.
A query without relevant items has no value in any of them: leave it out of the mean and count it.

``core.measures.query_metrics`` has the same for many queries at once. Where libraries differ
(docs/metrics.md has the table): precision is divided by k even when the
list is shorter; AP counts relevant items that the list misses as zeros; ``recall_at_k`` is the
fraction of the relevant items, ``hit_at_k`` is what the CLIP papers call R@k.

# R = relevant items of one query, K = length of a ranked list
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray

Grades = NDArray[np.float64]
"""Grades of relevant items, above 0."""
_RECALL_ROUNDING = 1e-12
"""So that recall 3/10 reaches the level 0.3, whatever binary fractions make of both."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision, recall and hit at every k = 1..K; entry k - 1 belongs to k."""

    precision_K: NDArray[np.float64]
    recall_K: NDArray[np.float64]
    hit_K: NDArray[np.float64]


def ranks_of(hits_K: Sequence[bool]) -> IdArray:
    """Return the ranks of the relevant items of a list of judgements, best place first."""
    return np.flatnonzero(np.asarray(hits_K, bool)) + 1


def precision_at_k(ranks_R: IdArray, k: int) -> float:
    """Return r_k / k, with r_k the relevant items in the first k places.

    Always divided by k: places beyond the end of a short list count as not relevant.
    Source: Manning, Raghavan, Schuetze 2008, Introduction to Information Retrieval, section 8.4;
    trec_eval ``P``.
    """
    return _found(ranks_R, k) / k


def recall_at_k(ranks_R: IdArray, k: int, *, relevant: int | None = None) -> float:
    """Return r_k / R, the fraction of the relevant items in the first k places.

    Source: Manning, Raghavan, Schuetze 2008, section 8.3; trec_eval ``recall``.
    """
    return _found(ranks_R, k) / _relevant(ranks_R, relevant)


def hit_at_k(ranks_R: IdArray, k: int) -> float:
    """Return 1.0 if any relevant item is in the first k places, else 0.0.

    Source: trec_eval ``success``; "R@K" in Radford et al. 2021, arXiv:2103.00020, table 13.
    """
    return float(_found(ranks_R, k) > 0)


def rank_curve(ranks_R: IdArray, length: int, *, relevant: int | None = None) -> Curve:
    """Return ``precision_at_k``, ``recall_at_k`` and ``hit_at_k`` for k = 1..``length`` at once."""
    ks_K = np.arange(1, _checked_k(length) + 1)
    found_K = np.searchsorted(np.sort(ranks_R), ks_K, side="right")
    return Curve(
        precision_K=found_K / ks_K,
        recall_K=found_K / _relevant(ranks_R, relevant),
        hit_K=(found_K > 0).astype(np.float64),
    )


def capped_recall_at_k(ranks_R: IdArray, k: int, *, relevant: int | None = None) -> float:
    """Return r_k / min(k, R): 1 for the best possible list, also where R is above k.

    Source: Thakur et al. 2021, BEIR, arXiv:2104.08663, section 3.3 ("capped recall").
    """
    return _found(ranks_R, k) / min(k, _relevant(ranks_R, relevant))


def paired_recall_at_k(partner_ranks_N: IdArray, k: int) -> float:
    """Return the fraction of queries whose one partner, the row of their number, is in the top k.

    What open_clip's trainer logs as ``R@k``: another caption of the same image counts as wrong, so
    never compare it with the R@k of papers, which is ``hit_at_k``.

    Raises:
        UsageError: no query, or k below 1.
    """
    if len(partner_ranks_N) == 0:
        raise UsageError("no query: paired recall is a mean over one or more")
    return _found(partner_ranks_N, k) / len(partner_ranks_N)


def f1_at_k(ranks_R: IdArray, k: int, *, relevant: int | None = None) -> float:
    """Return the harmonic mean of precision and recall at k, 2 r_k / (k + R); 0.0 if both are 0.

    Source: Manning, Raghavan, Schuetze 2008, section 8.3.
    """
    return 2.0 * _found(ranks_R, k) / (k + _relevant(ranks_R, relevant))


def r_precision(ranks_R: IdArray, *, relevant: int | None = None) -> float:
    """Return the precision at R.

    Source: Manning, Raghavan, Schuetze 2008, section 8.4; trec_eval ``Rprec``.
    """
    return precision_at_k(ranks_R, _relevant(ranks_R, relevant))


def reciprocal_rank(ranks_R: IdArray, *, k: int | None = None) -> float:
    """Return 1 / rank of the first relevant item; 0.0 if there is none, or none in the first k.

    The mean over queries is MRR (MRR@k).
    Source: Voorhees 1999, TREC-8 question answering track report; trec_eval ``recip_rank``.
    """
    if len(ranks_R) == 0:
        return 0.0
    first = int(np.min(ranks_R))
    return 1.0 / first if k is None or first <= _checked_k(k) else 0.0


def average_precision(ranks_R: IdArray, *, relevant: int | None = None) -> float:
    """Return (1 / R) * sum of the precisions at the ranks of the relevant items; not truncated.

    Relevant items that the list misses contribute 0.
    Source: Manning, Raghavan, Schuetze 2008, section 8.4; trec_eval ``map``.
    """
    return _precision_sum(ranks_R) / _relevant(ranks_R, relevant)


def average_precision_at_k(ranks_R: IdArray, k: int, *, relevant: int | None = None) -> float:
    """Return AP with the sum cut at rank k and still divided by R.

    Source: trec_eval ``map_cut``. Some libraries divide by min(R, k) or by r_k: other numbers.
    """
    within_R = ranks_R[ranks_R <= _checked_k(k)]
    return _precision_sum(within_R) / _relevant(ranks_R, relevant)


def capped_average_precision_at_k(
    ranks_R: IdArray, k: int, *, relevant: int | None = None
) -> float:
    """Return AP with the sum cut at rank k and divided by min(R, k), the most that k places hold.

    What many competitions call AP@k or MAP@k; see ``average_precision_at_k`` for the other.
    """
    within_R = ranks_R[ranks_R <= _checked_k(k)]
    return _precision_sum(within_R) / min(k, _relevant(ranks_R, relevant))


def ndcg(
    ranks_R: IdArray,
    *,
    k: int | None = None,
    grades_R: Grades | None = None,
    judged_J: Grades | None = None,
    exponential: bool = False,
) -> float:
    """Return DCG over the DCG of the best possible list: sum of gain / log2(rank + 1), cut at k.

    Args:
        ranks_R: ranks of the relevant items that the list holds.
        k: cut-off of both sums; by default the whole lists.
        grades_R: grade of each, above 0; by default 1.
        judged_J: grades of all relevant items, also those that the list misses; by default
            ``grades_R``.
        exponential: gain 2^grade - 1 instead of the grade; the same where grades are 0 and 1.

    Source: Jarvelin, Kekalainen 2002, ACM TOIS 20(4); trec_eval ``ndcg_cut`` (the grade as gain);
    Burges et al. 2005, Learning to rank using gradient descent (2^grade - 1).

    Raises:
        UsageError: nothing is relevant, or k below 1.
    """
    grades = np.ones(len(ranks_R)) if grades_R is None else np.asarray(grades_R, np.float64)
    judged = grades if judged_J is None else np.asarray(judged_J, np.float64)
    _relevant(ranks_R, len(judged))
    ideal = np.sort(judged)[::-1]
    best = _dcg(np.arange(1, len(ideal) + 1), ideal, k, exponential=exponential)
    return _dcg(ranks_R, grades, k, exponential=exponential) / best


def interpolated_precision(
    ranks_R: IdArray, recall_level: float, *, relevant: int | None = None
) -> float:
    """Return the best precision at any recall of ``recall_level`` or more; 0.0 if not reached.

    The envelope of a plotted curve; too kind to be a headline.
    Source: Manning, Raghavan, Schuetze 2008, section 8.4; trec_eval ``iprec_at_recall``.
    """
    count = _relevant(ranks_R, relevant)
    found_R = np.arange(1, len(ranks_R) + 1)
    reached_R = found_R / count >= recall_level - _RECALL_ROUNDING
    return float(np.max(found_R / np.sort(ranks_R), initial=0.0, where=reached_R))


def eleven_point_precision(ranks_R: IdArray, *, relevant: int | None = None) -> float:
    """Return the mean interpolated precision at recall 0, 0.1 ... 1.

    Source: Manning, Raghavan, Schuetze 2008, section 8.4; trec_eval ``11pt_avg``.
    """
    levels = [tenth / 10 for tenth in range(11)]
    return float(
        np.mean([interpolated_precision(ranks_R, one, relevant=relevant) for one in levels])
    )


def _dcg(ranks: IdArray, grades: Grades, k: int | None, *, exponential: bool) -> float:
    """Return the sum of gain / log2(rank + 1) over ranks up to k."""
    gains = np.exp2(grades) - 1 if exponential else np.asarray(grades)
    within = np.full(len(ranks), True) if k is None else ranks <= _checked_k(k)
    return float(np.sum(gains[within] / np.log2(ranks[within] + 1)))


def _found(ranks_R: IdArray, k: int) -> int:
    return int(np.count_nonzero(ranks_R <= _checked_k(k)))


def _precision_sum(ranks_R: IdArray) -> float:
    """Return the sum of i / rank of the i-th relevant item, added up in order of rank."""
    ordered_R = np.sort(ranks_R)
    return float(np.sum(np.arange(1, len(ordered_R) + 1) / ordered_R))


def _checked_k(k: int) -> int:
    if k < 1:
        raise UsageError(f"k = {k}: expected 1 or more", param="k")
    return k


def _relevant(ranks_R: IdArray, relevant: int | None) -> int:
    """Return R, checked against the relevant items that the list holds."""
    count = len(ranks_R) if relevant is None else relevant
    if count < max(1, len(ranks_R)):
        raise UsageError(
            f"relevant = {count}: expected 1 or more, and no fewer than the {len(ranks_R)} in "
            "the list; leave queries without relevant items out of the mean",
            param="relevant",
        )
    return count
