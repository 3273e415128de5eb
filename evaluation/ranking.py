"""The one order of everything that is scored: score descending, then id ascending.

Scores are compared in float32. Libraries differ here, and a metric with an unsaid tie rule can be
moved from one to zero by shuffling its input: see docs/evaluation.md.

# N = queries, M = gallery items, D = embedding dimension, R = relevant items of one query
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray

_MATRIX_RANK = 2
_TILE_SCORES = 1 << 22


def rank(scores_NM: FloatArray, ids: Sequence[str]) -> IdArray:
    """Return the columns of each row, best first: score descending in float32, id ascending.

    Raises:
        UsageError: the shapes do not fit, ids are repeated, or a score is NaN.
    """
    by_id_M, _ = _id_order(ids)
    _check_scores(scores_NM, len(ids))
    ordered_NM = scores_NM[:, by_id_M].astype(np.float32)
    return by_id_M[np.argsort(-ordered_NM, axis=1, kind="stable")]


def relevant_ranks(
    scores_M: FloatArray, id_places_M: IdArray, relevant_R: Sequence[int]
) -> IdArray:
    """Return the ranks of the relevant columns, counted from 1, ascending.

    No row is sorted: an item's rank is one more than the number of better items. Exactly what
    ``rank`` gives, as the tests show.

    Args:
        scores_M: scores of one query.
        id_places_M: place of each column when the ids are sorted, see ``id_places``.
        relevant_R: columns that are relevant to the query.
    """
    ranks_R = np.empty(len(relevant_R), np.int64)
    for place, column in enumerate(relevant_R):
        score = scores_M[column]
        better = np.count_nonzero(scores_M > score)
        ties = np.count_nonzero((scores_M == score) & (id_places_M < id_places_M[column]))
        ranks_R[place] = 1 + better + ties
    return np.sort(ranks_R)


def id_places(ids: Sequence[str]) -> IdArray:
    """Return the place of each id in the sorted list of ids.

    Raises:
        UsageError: ids are repeated.
    """
    return _id_order(ids)[1]


def score_rows(
    queries_ND: FloatArray, gallery_MD: FloatArray, *, tile_scores: int = _TILE_SCORES
) -> Iterator[FloatArray]:
    """Yield the cosines (M,) of each query with the gallery; at most a tile is in memory.

    Products are summed in float64 and rounded to float32 once. So equal items tie exactly, and
    the size of the tile changes nothing: float32 sums would depend on both.

    Args:
        queries_ND: unit embeddings.
        gallery_MD: unit embeddings.
        tile_scores: scores in memory at once; one row is the least.
    """
    rows_per_tile = max(1, tile_scores // max(1, len(gallery_MD)))
    gallery_DM: NDArray[np.float64] = gallery_MD.astype(np.float64).T
    for start in range(0, len(queries_ND), rows_per_tile):
        tile_ND = queries_ND[start : start + rows_per_tile].astype(np.float64)
        yield from (tile_ND @ gallery_DM).astype(np.float32)


def _id_order(ids: Sequence[str]) -> tuple[IdArray, IdArray]:
    """Return the columns in order of their ids, and the place of each column in that order."""
    if len(set(ids)) != len(ids):
        raise UsageError("ids are repeated; each item of a ranking needs its own")
    by_id_M = np.array(sorted(range(len(ids)), key=lambda column: ids[column]), np.int64)
    places_M = np.empty(len(ids), np.int64)
    places_M[by_id_M] = np.arange(len(ids))
    return by_id_M, places_M


def _check_scores(scores_NM: FloatArray, count: int) -> None:
    if scores_NM.ndim != _MATRIX_RANK or scores_NM.shape[1] != count:
        raise UsageError(f"scores have the shape {scores_NM.shape}, expected (N, {count})")
    if np.isnan(scores_NM).any():
        raise UsageError("a score is NaN; what is not comparable cannot be ranked")
