"""Which rows of an immutable base are deleted.

# N = rows of the base
"""

from __future__ import annotations

import numpy as np

from core.types import IdArray


class Tombstones:
    """A growing set of positions. One thread adds; others read it at the same time."""

    def __init__(self, size: int) -> None:
        """Start with N = ``size`` rows, all alive."""
        self._alive_N = np.ones(size, bool)
        self.count = 0
        """Rows that are dead."""

    def bury(self, positions: IdArray) -> None:
        """Mark positions as dead; those that are dead already stay so."""
        self._alive_N[positions] = False
        self.count = len(self._alive_N) - int(np.count_nonzero(self._alive_N))

    def are_alive(self, positions_K: IdArray) -> np.ndarray:
        """Return a mask (K,): whether each position is known (not negative) and alive."""
        alive_K: np.ndarray = positions_K >= 0
        alive_K[alive_K] = self._alive_N[positions_K[alive_K]]
        return alive_K

    def alive(self) -> IdArray:
        """Return the positions that are alive, ascending."""
        # NumPy counts first and fills then: rows that die meanwhile would leave places unfilled.
        return np.flatnonzero(self._alive_N.copy())

    def alive_mask(self) -> np.ndarray:
        """Return a mask (N,) of the positions that are alive."""
        return self._alive_N.copy()
