"""Which row id stands at which position of a dense matrix, both ways, with holes filled.

# N = rows
"""

from __future__ import annotations

import numpy as np

from core.types import IdArray

_ABSENT = -1


class RowTable:
    """A growing list of row ids and, for each row id, its position in the list."""

    def __init__(self) -> None:
        """Start empty."""
        self._row_ids = np.empty(0, np.int64)
        self._position_of = np.full(0, _ABSENT, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def row_ids(self) -> IdArray:
        """Return the row ids in order of position: a view, valid until the next change."""
        return self._row_ids[: self._count]

    def positions(self, row_ids_N: IdArray) -> IdArray:
        """Return the position of each row id, -1 where it is unknown."""
        inside_N = (row_ids_N >= 0) & (row_ids_N < len(self._position_of))
        positions_N = np.full(len(row_ids_N), _ABSENT, np.int64)
        positions_N[inside_N] = self._position_of[row_ids_N[inside_N]]
        return positions_N

    def append(self, row_ids_N: IdArray) -> None:
        """Add row ids at the end; none of them may be known already."""
        if not len(row_ids_N):
            return
        end = self._count + len(row_ids_N)
        self._row_ids = _grown(self._row_ids, end, fill=0)
        self._position_of = _grown(self._position_of, int(row_ids_N.max()) + 1, fill=_ABSENT)
        self._row_ids[self._count : end] = row_ids_N
        self._position_of[row_ids_N] = np.arange(self._count, end)
        self._count = end

    def remove(self, row_ids_N: IdArray) -> tuple[IdArray, IdArray, int]:
        """Take row ids out and close the holes with rows from the end.

        Returns:
            The positions that get another row, the positions these rows come from, and the number
            of rows that are left: ``matrix[to] = matrix[from]``, then cut to that length.
        """
        positions_N = self.positions(np.unique(row_ids_N))
        positions_N = positions_N[positions_N >= 0]
        if not len(positions_N):
            return positions_N, positions_N, self._count
        kept = self._count - len(positions_N)
        leaving = np.zeros(self._count, bool)
        leaving[positions_N] = True
        holes = np.flatnonzero(leaving[:kept])
        movers = kept + np.flatnonzero(~leaving[kept:])
        self._position_of[self._row_ids[positions_N]] = _ABSENT
        self._row_ids[holes] = self._row_ids[movers]
        self._position_of[self._row_ids[holes]] = holes
        self._count = kept
        return holes, movers, kept


def _grown(array: np.ndarray, size: int, *, fill: int) -> np.ndarray:
    """Return ``array``, or a copy at least twice as long that holds ``size`` entries."""
    if size <= len(array):
        return array
    larger = np.full(max(size, 2 * len(array), 64), fill, array.dtype)
    larger[: len(array)] = array
    return larger
