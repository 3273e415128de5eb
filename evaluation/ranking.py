"""The one order of everything that is scored: score descending, then id ascending.

Scores are compared in float32. Libraries differ here, and a metric with an unsaid tie rule can be
moved from one to zero by shuffling its input: see docs/metrics.md. ``evaluation.exact_search``
gives the same places without sorting, for galleries of any size.

# N = queries, M = gallery items
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import UsageError
from core.types import FloatArray, IdArray

_MATRIX_RANK = 2


def rank(scores_NM: FloatArray, ids: Sequence[str]) -> IdArray:
    """Return the columns of each row, best first: score descending in float32, id ascending.

    Raises:
        UsageError: the shapes do not fit, ids are repeated, or a score is NaN.
    """
    by_id_M, _ = _id_order(ids)
    _check_scores(scores_NM, len(ids))
    ordered_NM = scores_NM[:, by_id_M].astype(np.float32)
    return by_id_M[np.argsort(-ordered_NM, axis=1, kind="stable")]


def id_places(ids: Sequence[str]) -> IdArray:
    """Return the place of each id in the sorted list of ids.

    Raises:
        UsageError: ids are repeated.
    """
    return _id_order(ids)[1]


def _id_order(ids: Sequence[str]) -> tuple[IdArray, IdArray]:
    """Return the columns in order of their ids, and the place of each column in that order."""
    if len(set(ids)) != len(ids):
        raise UsageError("ids are repeated; each item of a ranking needs its own")
    by_id_M = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
    places_M = np.empty(len(ids), np.int64)
    places_M[by_id_M] = np.arange(len(ids))
    return by_id_M, places_M


def _check_scores(scores_NM: FloatArray, count: int) -> None:
    if scores_NM.ndim != _MATRIX_RANK or scores_NM.shape[1] != count:
        raise UsageError(f"scores have the shape {scores_NM.shape}, expected (N, {count})")
    if np.isnan(scores_NM).any():
        raise UsageError("a score is NaN; what is not comparable cannot be ranked")
