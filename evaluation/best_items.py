"""The best K items of each query, kept over tiles of scores, in exact order.

# N = queries, M = gallery items, D = embedding dimension, K = places kept, P = candidates,
# n and m = rows and columns of a tile
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray, IdArray
from evaluation.exact_scores import exact_scores

_SAMPLE = 512
"""Scores of a new row that are looked at for a first bound on its K-th best."""


class BestItems:
    """Columns and scores of the best K items of each query so far."""

    def __init__(
        self, queries_ND: FloatArray, gallery_MD: FloatArray, places_M: IdArray, *, count: int
    ) -> None:
        """Start without items; ``places_M`` is the place of each item in order of ids."""
        self._queries_ND, self._gallery_MD, self._places_M = queries_ND, gallery_MD, places_M
        self.columns_NK: IdArray = np.full((len(queries_ND), count), -1, np.int64)
        self.scores_NK: FloatArray = np.full((len(queries_ND), count), -np.inf, np.float32)

    def add(self, scores_nm: FloatArray, row: int, column: int, *, error: float) -> None:
        """Take what is good enough of one tile; scores are off by at most ``error``."""
        count = self.scores_NK.shape[1]
        if not count:
            return
        worst_n = self.scores_NK[row : row + len(scores_nm), -1] - 2 * error
        if not np.isfinite(worst_n).all():
            worst_n = np.maximum(worst_n, _sampled(scores_nm, count) - 2 * error)
        enough = np.flatnonzero(scores_nm >= _below(worst_n)[:, None])
        rows_P, columns_P = np.divmod(enough, scores_nm.shape[1])
        quick_P = scores_nm.ravel()[enough]
        worst_n = _kth(rows_P, quick_P, worst_n, count, error)
        good_P = np.isfinite(quick_P) & (quick_P >= _below(worst_n)[rows_P])
        rows_P, columns_P = rows_P[good_P] + row, columns_P[good_P] + column
        if len(rows_P):
            scores_P = exact_scores(self._queries_ND, self._gallery_MD, rows_P, columns_P)
            self._merge(rows_P, columns_P, scores_P)

    def _merge(self, rows_P: IdArray, columns_P: IdArray, scores_P: FloatArray) -> None:
        """Put the candidates among the items that are kept already."""
        count = self.scores_NK.shape[1]
        touched = np.unique(rows_P)
        rows = np.concatenate([np.repeat(touched, count), rows_P])
        columns = np.concatenate([self.columns_NK[touched].ravel(), columns_P])
        scores = np.concatenate([self.scores_NK[touched].ravel(), scores_P])
        # Places of nothing (-1) have the score minus infinity, so their id decides nothing.
        order = np.lexsort((self._places_M[columns], -scores, rows))
        starts = np.searchsorted(rows[order], touched)
        kept = order[starts[:, None] + np.arange(count)]
        self.columns_NK[touched], self.scores_NK[touched] = columns[kept], scores[kept]


def _sampled(scores_nm: FloatArray, count: int) -> FloatArray:
    """Return a score that the K-th best of each row is at least, from some of its columns."""
    sample_ns = scores_nm[:, : max(_SAMPLE, 4 * count)]
    place = sample_ns.shape[1] - count
    if place < 0:
        return np.full(len(scores_nm), -np.inf, np.float32)
    kth_n: FloatArray = np.partition(sample_ns, place, axis=1)[:, place]
    return kth_n


def _kth(
    rows_P: IdArray, quick_P: FloatArray, bound_n: FloatArray, count: int, error: float
) -> FloatArray:
    """Return a tighter bound for the rows that have K candidates: their K-th best, less errors."""
    starts_n = np.searchsorted(rows_P, np.arange(len(bound_n)))
    many_n = np.diff(np.append(starts_n, len(rows_P))) >= count
    order_P = np.lexsort((-quick_P, rows_P))
    kth_n = bound_n.copy()
    kth_n[many_n] = quick_P[order_P[starts_n[many_n] + count - 1]] - 2 * error
    return np.maximum(kth_n, bound_n)


def _below(bound_n: FloatArray) -> FloatArray:
    """Return the next number below, so that rounding the bound loses nothing."""
    lower_n: FloatArray = np.nextafter(bound_n.astype(np.float32), np.float32(-np.inf))
    return lower_n
