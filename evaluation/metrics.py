"""Metrics of one ranked list, from the ranks of its relevant items. Pure NumPy.

Every function takes ``ranks_R``: the ranks, counted from 1, of the relevant items that the list
holds. ``relevant`` is R, how many relevant items there are in all, for lists that miss some.
A query without relevant items has no value in any of them: leave it out of the mean and count it.

Where libraries differ (docs/evaluation.md has the table): precision is divided by k even when the
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
