"""Rows that belong together: disjoint sets, and numbers for equal values.

# N = rows, G = groups
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class DisjointSets:
    """Sets of rows that grow together; the root of a set is its smallest row."""

    def __init__(self, count: int) -> None:
        """Start with each of ``count`` rows alone."""
        self._parent_N = np.arange(count, dtype=np.int64)

    def join(self, left: Rows, right: Rows) -> None:
        """Join the sets of ``left[i]`` and ``right[i]`` for every i."""
        left_roots, right_roots = self._roots_of(left), self._roots_of(right)
        apart = left_roots != right_roots
        for one, other in zip(left_roots[apart].tolist(), right_roots[apart].tolist(), strict=True):
            first, second = self._find(one), self._find(other)
            self._parent_N[max(first, second)] = min(first, second)

    def roots(self) -> Rows:
        """Return the root (N,) of every row."""
        self._parent_N = self._roots_of(np.arange(len(self._parent_N), dtype=np.int64))
        return self._parent_N.copy()

    def _roots_of(self, rows: Rows) -> Rows:
        while True:
            parents: Rows = self._parent_N[rows]
            if np.array_equal(parents, rows):
                return rows
            rows = parents

    def _find(self, row: int) -> int:
        parent = int(self._parent_N[row])
        while parent != row:
            grandparent = int(self._parent_N[parent])
            self._parent_N[row] = grandparent
            row, parent = grandparent, int(self._parent_N[grandparent])
        return row


def numbered(values: Iterable[Hashable]) -> Rows:
    """Return for each value (N,) a number that equal values share, in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), np.int64)


def members(groups_N: Rows, *, at_least: int = 2) -> list[Rows]:
    """Return the rows of each group that has at least so many, in order of their first row."""
    if not len(groups_N):
        return []
    order_N = np.argsort(groups_N, kind="stable")
    edges = np.flatnonzero(np.diff(groups_N[order_N])) + 1
    found = [rows for rows in np.split(order_N, edges) if len(rows) >= at_least]
    return sorted(found, key=lambda rows: int(rows[0]))
