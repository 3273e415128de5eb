"""What the plots of a retrieval are drawn from.

# N = queries, K = cut-offs 1..K, H = hits of all queries, T = thresholds
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.measures.judged_ranks import JudgedRanks
from core.types import JSONValue
from evaluation.threshold_metrics import threshold_curve

_RECALL_LEVELS = 11
_MOST_POINTS = 200
_HISTOGRAM_EDGES = (1, 2, 3, 4, 5, 6, 11, 21, 51, 101, 501, 1001, 10_001, 100_001)


def rank_curve(judged: JudgedRanks, *, length: int) -> list[JSONValue]:
    """Return mean precision, recall and hit rate at every k = 1..``length``."""
    queries = judged.queries - judged.queries_without_relevant
    weights_T = 1.0 / judged.relevant_N[judged.query_T]
    first_T = judged.place_T() == 1
    found_K = _up_to(judged.ranks_T, None, length)
    recall_K = _up_to(judged.ranks_T, weights_T, length)
    hit_K = _up_to(judged.ranks_T[first_T], None, length)
    return [
        {
            "k": k,
            "precision": float(found_K[k - 1] / (k * queries)),
            "recall": float(recall_K[k - 1] / queries),
            "hit": float(hit_K[k - 1] / queries),
        }
        for k in range(1, length + 1)
    ]


def precision_recall(judged: JudgedRanks) -> list[JSONValue]:
    """Return the mean interpolated precision at recall 0, 0.1 ... 1.

    The largest precision at that recall or a higher one; for the plotted envelope only.
    Source: Manning, Raghavan, Schuetze 2008, section 8.4; trec_eval ``iprec_at_recall``.
    """
    levels = np.linspace(0.0, 1.0, _RECALL_LEVELS)
    relevant_N = judged.relevant_N
    place_T = judged.place_T()
    precision_T = place_T / judged.ranks_T
    recall_T = place_T / relevant_N[judged.query_T]
    queries = max(1, judged.queries - judged.queries_without_relevant)
    means = []
    for level in levels:
        best_N = np.zeros(judged.queries)
        reaches_T = recall_T >= level - 1e-9
        np.maximum.at(best_N, judged.query_T[reaches_T], precision_T[reaches_T])
        means.append(float(best_N.sum() / queries))
    return [
        {"recall": round(float(level), 1), "precision": mean}
        for level, mean in zip(levels, means, strict=True)
    ]


def score_thresholds(
    scores: Sequence[Sequence[float]], hits: Sequence[Sequence[bool]], *, relevant: int
) -> list[JSONValue]:
    """Return precision and recall of the hits at or above each score, all queries pooled.

    Args:
        scores: of the head of each list.
        hits: whether each of these items is relevant.
        relevant: relevant items of all queries, found or not.
    """
    scores_H = np.array([score for row in scores for score in row], np.float64)
    hits_H = np.array([hit for row in hits for hit in row], bool)
    if not hits_H.any():
        return []
    curve = threshold_curve(scores_H, hits_H)
    found_T, precision_T = curve.true_positives_T, curve.precision_T
    kept = np.linspace(0, len(found_T) - 1, min(len(found_T), _MOST_POINTS)).round()
    return [
        {
            "threshold": float(curve.thresholds_T[place]),
            "precision": float(precision_T[place]),
            "recall": float(found_T[place] / relevant),
        }
        for place in np.unique(kept.astype(np.int64)).tolist()
    ]


def first_rank_histogram(judged: JudgedRanks) -> list[JSONValue]:
    """Return how many queries have their first relevant item at which ranks; missed ones last."""
    first_F = judged.ranks_T[judged.place_T() == 1]
    edges = [*_HISTOGRAM_EDGES, np.iinfo(np.int64).max]
    counts, _ = np.histogram(first_F, edges)
    bins: list[JSONValue] = [
        {"from": start, "to": end - 1, "queries": int(count)}
        for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    missed = judged.queries - judged.queries_without_relevant - len(first_F)
    if missed:
        bins.append({"from": None, "to": None, "queries": missed})
    return bins


def _up_to(ranks_T: np.ndarray, weights_T: np.ndarray | None, length: int) -> np.ndarray:
    """Return how many ranks, or how much weight, there is at k or before, for every k."""
    near_T = ranks_T <= length
    weights = None if weights_T is None else weights_T[near_T]
    return np.cumsum(np.bincount(ranks_T[near_T], weights, minlength=length + 1)[1:])
