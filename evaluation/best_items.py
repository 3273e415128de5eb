"""The best K items of each query, kept over tiles of scores, in exact order.

Candidates are kept by their quick scores until a row of tiles ends; only what may be among the best
then gets an exact score.

# N = queries, M = gallery items, D = embedding dimension, K = places kept, P = candidates,
# n and m = rows and columns of a tile, G = groups of columns
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.types import FloatArray, IdArray
from evaluation.exact_scores import exact_scores

_GROUPS = 128
"""Groups of columns for a first bound: many more than places are kept, so that few share one."""
_CANDIDATES_PER_PLACE = 3
"""Candidates per place that may wait before the worst are dropped: memory against sorting."""


class BestItems:
    """Columns and scores of the best K items of each query so far."""

    def __init__(
        self, queries_ND: FloatArray, gallery_MD: FloatArray, places_M: IdArray, *, count: int
    ) -> None:
        """Start without items; ``places_M`` is the place of each item in order of ids."""
        self._queries_ND, self._gallery_MD, self._places_M = queries_ND, gallery_MD, places_M
        self.columns_NK: IdArray = np.full((len(queries_ND), count), -1, np.int64)
        self.scores_NK: FloatArray = np.full((len(queries_ND), count), -np.inf, np.float32)
        self._waiting = _Candidates.none()
        self._bound_n: FloatArray = np.empty(0, np.float32)

    def add(
        self, scores_nm: FloatArray, row: int, column: int, *, error: float, last: bool
    ) -> None:
        """Take what is good enough of one tile; scores are off by at most ``error``.

        The tiles of some rows come one after the other, the first at column 0; ``last`` ends them.
        """
        count = self.scores_NK.shape[1]
        if not count or not len(scores_nm):
            return
        if column == 0:
            self._waiting = _Candidates.none()
            self._bound_n = _below(_first_bound(scores_nm, count) - 2 * error)
        self._waiting = self._waiting.extended(_Candidates.of(scores_nm, self._bound_n, column))
        if last or len(self._waiting) > _CANDIDATES_PER_PLACE * count * len(scores_nm):
            self._drop_the_worst(error)
        if last:
            self._finish(row)

    def _drop_the_worst(self, error: float) -> None:
        """Keep of each row what may be among its best K."""
        kth_n = self._waiting.kth_scores(len(self._bound_n), self.scores_NK.shape[1])
        self._bound_n = np.maximum(self._bound_n, _below(kth_n - 2 * error))
        self._waiting = self._waiting.above(self._bound_n)

    def _finish(self, row: int) -> None:
        """Put the candidates in order by their exact scores and ids."""
        count, waiting = self.scores_NK.shape[1], self._waiting
        rows_P = waiting.rows_P + row
        scores_P = exact_scores(self._queries_ND, self._gallery_MD, rows_P, waiting.columns_P)
        order_P = np.lexsort((self._places_M[waiting.columns_P], -scores_P, rows_P))
        rows_P = rows_P[order_P]
        place_P = np.arange(len(rows_P)) - np.searchsorted(rows_P, rows_P)
        kept_P = place_P < count
        rows_P, place_P, order_P = rows_P[kept_P], place_P[kept_P], order_P[kept_P]
        self.columns_NK[rows_P, place_P] = waiting.columns_P[order_P]
        self.scores_NK[rows_P, place_P] = scores_P[order_P]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Items that may be among the best of their rows, with quick scores."""

    rows_P: IdArray
    columns_P: IdArray
    scores_P: FloatArray

    @staticmethod
    def none() -> _Candidates:
        """Return no candidates."""
        return _Candidates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    @staticmethod
    def of(scores_nm: FloatArray, bound_n: FloatArray, column: int) -> _Candidates:
        """Return what reaches the bound of its row and is an answer at all."""
        # Minus infinity is no answer and never above a bound that is finite or minus infinity.
        enough = np.flatnonzero(scores_nm > bound_n[:, None])
        rows_P, columns_P = np.divmod(enough, scores_nm.shape[1])
        return _Candidates(rows_P, columns_P + column, scores_nm.ravel()[enough])

    def __len__(self) -> int:
        return len(self.rows_P)

    def extended(self, other: _Candidates) -> _Candidates:
        """Return both."""
        if not len(self):
            return other
        return _Candidates(
            np.concatenate([self.rows_P, other.rows_P]),
            np.concatenate([self.columns_P, other.columns_P]),
            np.concatenate([self.scores_P, other.scores_P]),
        )

    def above(self, bound_n: FloatArray) -> _Candidates:
        """Return those above the bound of their row."""
        kept_P = self.scores_P > bound_n[self.rows_P]
        return _Candidates(self.rows_P[kept_P], self.columns_P[kept_P], self.scores_P[kept_P])

    def kth_scores(self, rows: int, count: int) -> FloatArray:
        """Return the K-th best score of each row, minus infinity where it has fewer."""
        order_P = np.argsort(self.rows_P, kind="stable")
        rows_P = self.rows_P[order_P]
        sizes_n = np.bincount(rows_P, minlength=rows)
        place_P = np.arange(len(rows_P)) - np.repeat(np.cumsum(sizes_n) - sizes_n, sizes_n)
        table = np.full((rows, max(count, int(sizes_n.max(initial=0)))), -np.inf, np.float32)
        table[rows_P, place_P] = self.scores_P[order_P]
        place = table.shape[1] - count
        kth_n: FloatArray = np.partition(table, place, axis=1)[:, place]
        return kth_n


def _first_bound(scores_nm: FloatArray, count: int) -> FloatArray:
    """Return a score that the K-th best of each row is at least: the K-th best group of columns."""
    groups = max(_GROUPS, 4 * count)
    size = scores_nm.shape[1] // groups
    if not size:
        best_nG = scores_nm
    else:
        best_nG = scores_nm[:, : size * groups].reshape(-1, size, groups).max(axis=1)
    place = best_nG.shape[1] - count
    if place < 0:
        return np.full(len(scores_nm), -np.inf, np.float32)
    kth_n: FloatArray = np.partition(best_nG, place, axis=1)[:, place]
    return kth_n


def _below(bound_n: FloatArray) -> FloatArray:
    """Return the next number below, so that rounding the bound loses nothing."""
    lower_n: FloatArray = np.nextafter(bound_n.astype(np.float32), np.float32(-np.inf))
    return lower_n
