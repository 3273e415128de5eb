"""Scores of ranked retrieval on embeddings that are there already: no model is needed.

# N = queries, M = gallery items, D = embedding dimension, R = relevant items of one query
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import PairsError, UsageError
from core.types import FloatArray
from evaluation.metrics import Curve, average_precision, r_precision, rank_curve, reciprocal_rank
from evaluation.ranking import id_places, relevant_ranks, score_rows

DEFAULT_KS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class RetrievalTask:
    """Queries, a gallery and what is relevant: all that a score needs, without a model."""

    query_ids: tuple[str, ...]
    query_texts: tuple[str, ...]
    """Caption of each query; empty where queries are images."""
    queries_ND: FloatArray
    gallery_ids: tuple[str, ...]
    gallery_MD: FloatArray
    relevant_N: tuple[tuple[int, ...], ...]
    """Columns of the gallery that are relevant to each query; may be empty."""


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """How one query did."""

    id: str
    text: str
    """The caption; empty where the query is an image."""
    ranks: tuple[int, ...]
    """Ranks of its relevant items, from 1, ascending."""
    average_precision: float
    reciprocal_rank: float
    r_precision: float


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Macro means over the queries that have something relevant, and each of these queries."""

    ks: tuple[int, ...]
    """Cut-offs, capped at the size of the gallery."""
    curve: Curve
    """Mean precision, recall and hit rate at k = 1..max(ks)."""
    mean_average_precision: float
    mean_reciprocal_rank: float
    mean_r_precision: float
    queries: tuple[QueryRecord, ...]
    queries_without_relevant: int
    gallery_size: int


def score_retrieval(task: RetrievalTask, *, ks: Sequence[int] = DEFAULT_KS) -> RetrievalScores:
    """Score embeddings that are there already; memory is bounded by tiles of queries.

    Raises:
        UsageError: a k below 1.
        PairsError: no query has anything relevant in the gallery.
    """
    check_ks(ks)
    capped = tuple(sorted({min(k, len(task.gallery_ids)) for k in ks}))
    judged = [place for place, relevant in enumerate(task.relevant_N) if relevant]
    if not judged:
        raise PairsError(
            "no query has anything relevant in the gallery: no image with a caption could be "
            "decoded; look at the failed images"
        )
    places_M = id_places(task.gallery_ids)
    records: list[QueryRecord] = []
    curves: list[Curve] = []
    rows = score_rows(task.queries_ND[judged], task.gallery_MD)
    for place, scores_M in zip(judged, rows, strict=True):
        ranks_R = relevant_ranks(scores_M, places_M, task.relevant_N[place])
        curves.append(rank_curve(ranks_R, capped[-1]))
        records.append(
            QueryRecord(
                id=task.query_ids[place],
                text=task.query_texts[place],
                ranks=tuple(ranks_R.tolist()),
                average_precision=average_precision(ranks_R),
                reciprocal_rank=reciprocal_rank(ranks_R),
                r_precision=r_precision(ranks_R),
            )
        )
    return RetrievalScores(
        ks=capped,
        curve=_mean_curve(curves),
        mean_average_precision=float(np.mean([record.average_precision for record in records])),
        mean_reciprocal_rank=float(np.mean([record.reciprocal_rank for record in records])),
        mean_r_precision=float(np.mean([record.r_precision for record in records])),
        queries=tuple(records),
        queries_without_relevant=len(task.relevant_N) - len(judged),
        gallery_size=len(task.gallery_ids),
    )


def _mean_curve(curves: Sequence[Curve]) -> Curve:
    return Curve(
        precision_K=np.mean([curve.precision_K for curve in curves], axis=0),
        recall_K=np.mean([curve.recall_K for curve in curves], axis=0),
        hit_K=np.mean([curve.hit_K for curve in curves], axis=0),
    )


def check_ks(ks: Sequence[int]) -> None:
    """Refuse cut-offs that mean nothing.

    Raises:
        UsageError: none, or one below 1.
    """
    if not ks or min(ks) < 1:
        raise UsageError(
            f"k = {list(ks)}: expected one or more cut-offs, each 1 or more", param="k"
        )
