"""How many items beat each relevant item, counted over tiles of scores: no row is sorted whole.

# N = queries, M = gallery items, D = embedding dimension, T = relevant pairs, R = relevant items of
# one query, P = pairs too close to call, n and m = rows and columns of a tile
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.types import FloatArray, IdArray
from evaluation.exact_scores import exact_scores

_FEW = 8
"""Up to so many relevant items per query, one comparison each is quicker than sorting the row."""


class RelevantCounts:
    """Counts of better items, for the relevant pairs of all queries; ``ranks_T`` when done."""

    def __init__(
        self,
        queries_ND: FloatArray,
        gallery_MD: FloatArray,
        places_M: IdArray,
        rows_T: IdArray,
        columns_T: IdArray,
    ) -> None:
        """Score the relevant pairs.

        Args:
            queries_ND: embeddings.
            gallery_MD: embeddings.
            places_M: place of each gallery item in order of ids.
            rows_T: query of each relevant pair, ascending.
            columns_T: gallery item of each relevant pair.
        """
        self._queries_ND, self._gallery_MD, self._places_M = queries_ND, gallery_MD, places_M
        self._rows_T, self._columns_T = rows_T, columns_T
        self._scores_T = exact_scores(queries_ND, gallery_MD, rows_T, columns_T)
        self._better_T = np.zeros(len(rows_T), np.int64)

    @property
    def ranks_T(self) -> IdArray:  # noqa: N802 - the shape is in the name
        """Rank of each relevant pair, from 1, once every tile was added."""
        return self._better_T + 1

    def add(self, scores_nm: FloatArray, row: int, column: int, *, error: float) -> None:
        """Count the better items of one tile, whose first row and column are given.

        Scores are off by at most ``error``; an item that is no answer has minus infinity.
        """
        bounds_n = np.searchsorted(self._rows_T, row + np.arange(len(scores_nm) + 1))
        counts_n = np.diff(bounds_n)
        most = int(counts_n.max(initial=0))
        for turn in range(min(most, _FEW)):
            rows_p = np.flatnonzero((counts_n > turn) & (counts_n <= _FEW))
            if len(rows_p):
                self._compare(scores_nm, rows_p, bounds_n[rows_p] + turn, column, error)
        for one in np.flatnonzero(counts_n > _FEW):
            pairs = np.arange(bounds_n[one], bounds_n[one + 1])
            self._sort(scores_nm[one], pairs, column, error)

    def _compare(
        self, scores_nm: FloatArray, rows_p: IdArray, pairs_p: IdArray, column: int, error: float
    ) -> None:
        """Count for one relevant item of each of these rows."""
        part_pm = scores_nm if len(rows_p) == len(scores_nm) else scores_nm[rows_p]
        low_p, high_p = self._bounds(pairs_p, error)
        above_p = _count_true(part_pm > high_p[:, None])
        self._better_T[pairs_p] += above_p
        # The relevant item is close to itself, in the one tile that it is in.
        own_p = self._columns_T[pairs_p] - column
        itself_p = (own_p >= 0) & (own_p < scores_nm.shape[1])
        close_p = _count_true(part_pm >= low_p[:, None]) - above_p
        close = np.flatnonzero(close_p > itself_p)
        if len(close):
            close_cm = part_pm[close]
            between_cm = (close_cm >= low_p[close, None]) & (close_cm <= high_p[close, None])
            at, columns_P = np.divmod(np.flatnonzero(between_cm), scores_nm.shape[1])
            self._call(pairs_p[close[at]], columns_P + column)

    def _sort(self, scores_m: FloatArray, pairs_R: IdArray, column: int, error: float) -> None:
        """Count for the many relevant items of one row."""
        low_R, high_R = self._bounds(pairs_R, error)
        order_m = np.argsort(scores_m)
        sorted_m = scores_m[order_m]
        first_R = np.searchsorted(sorted_m, low_R, side="left")
        last_R = np.searchsorted(sorted_m, high_R, side="right")
        self._better_T[pairs_R] += len(sorted_m) - last_R
        widths_R = last_R - first_R
        offsets_P = np.arange(widths_R.sum()) - np.repeat(np.cumsum(widths_R) - widths_R, widths_R)
        columns_P = order_m[np.repeat(first_R, widths_R) + offsets_P]
        self._call(np.repeat(pairs_R, widths_R), columns_P + column)

    def _bounds(self, pairs: IdArray, error: float) -> tuple[FloatArray, FloatArray]:
        """Return the quick scores below which all is worse, and above which all is better."""
        scores = self._scores_T[pairs].astype(np.float64)
        low = np.nextafter((scores - error).astype(np.float32), np.float32(-np.inf))
        high = np.nextafter((scores + error).astype(np.float32), np.float32(np.inf))
        return low, high

    def _call(self, pairs_P: IdArray, columns_P: IdArray) -> None:
        """Count the items that were too close to call, by their exact scores and ids."""
        if not len(pairs_P):
            return
        other_P = columns_P != self._columns_T[pairs_P]
        pairs_P, columns_P = pairs_P[other_P], columns_P[other_P]
        theirs_P = exact_scores(
            self._queries_ND, self._gallery_MD, self._rows_T[pairs_P], columns_P
        )
        own_P = self._scores_T[pairs_P]
        earlier_P = self._places_M[columns_P] < self._places_M[self._columns_T[pairs_P]]
        better_P = (theirs_P > own_P) | ((theirs_P == own_P) & earlier_P)
        np.add.at(self._better_T, pairs_P[better_P], 1)


def _count_true(true_pm: NDArray[np.bool_]) -> IdArray:
    """Return how many of each row are true: bits are counted quicker than bytes are added."""
    bits_pb = np.packbits(true_pm, axis=1)
    count_p: IdArray = np.bitwise_count(bits_pb).sum(axis=1, dtype=np.int64)
    return count_p
