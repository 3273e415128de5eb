"""Groups of items that look alike: every pair of vectors is compared, nothing is approximate.

# N = items, D = embedding dimension, R = rows and C = columns of a tile, P = pairs
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.progress import ProgressFactory, silent
from core.types import FloatArray, IdArray
from index.filter_sql import EVERYTHING, SQLCondition
from index.scoring import row_scores, score_error
from index.store import StoreReader

_TILE = 1024
_ROUNDING = 1e-6
"""Two equal vectors may have a cosine that is this much short of 1."""


@dataclass(frozen=True, slots=True)
class Lookalike:
    """One item of a group."""

    id: str
    cosine: float
    """With the first of the group."""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Items that are joined by pairs at or above the threshold, in order of id.

    A group is a connected component: its ends may be less alike than the threshold, which the
    cosines with the first item show.
    """

    items: tuple[Lookalike, ...]


def near_duplicates(
    store: StoreReader,
    *,
    dim: int,
    threshold: float,
    condition: SQLCondition = EVERYTHING,
    progress: ProgressFactory = silent,
) -> list[DuplicateGroup]:
    """Return the groups of two and more, in order of their first id.

    The answer depends on the vectors and the threshold alone, not on the order of adding. The
    work grows with the square of the number of items; the memory is that of their vectors.

    Args:
        store: the record of a collection.
        dim: D.
        threshold: least cosine of a pair, above 0 up to 1.
        condition: only among the items that it selects.
        progress: shows the number of compared items.

    Raises:
        UsageError: the threshold is out of range.
        StorageError: the database cannot be read.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold is {threshold}; it must be above 0 and at most 1")
    names, vectors_ND = _load(store, dim, condition)
    joined = _Joined(len(names))
    with progress("comparing", total=len(names), unit="images") as display:
        for start in range(0, len(names), _TILE):
            for other in range(start, len(names), _TILE):
                joined.join(*_pairs(vectors_ND, start, other, threshold))
            display.advance(min(_TILE, len(names) - start))
    return [_group(members_N, names, vectors_ND) for members_N in joined.groups()]


class _Joined:
    """Disjoint sets over 0..N-1, each known by its smallest member."""

    def __init__(self, count: int) -> None:
        self._parents_N = np.arange(count)

    def join(self, left_P: IdArray, right_P: IdArray) -> None:
        """Join the sets of each pair."""
        while len(left_P):
            left_P, right_P = self._parents_N[left_P], self._parents_N[right_P]
            apart_P = left_P != right_P
            left_P, right_P = left_P[apart_P], right_P[apart_P]
            higher_P, lower_P = np.maximum(left_P, right_P), np.minimum(left_P, right_P)
            np.minimum.at(self._parents_N, higher_P, lower_P)
            self._flatten()

    def groups(self) -> list[IdArray]:
        """Return the members of each set of two and more, ascending, in order of the first."""
        order_N = np.argsort(self._parents_N, kind="stable")
        _, starts = np.unique(self._parents_N[order_N], return_index=True)
        return [part for part in np.split(order_N, starts[1:]) if len(part) > 1]

    def _flatten(self) -> None:
        while True:
            higher_N = self._parents_N[self._parents_N]
            if np.array_equal(higher_N, self._parents_N):
                return
            self._parents_N = higher_N


def _load(store: StoreReader, dim: int, condition: SQLCondition) -> tuple[list[str], FloatArray]:
    """Return ids and vectors in order of id; damaged vectors are left out."""
    names: list[str] = []
    blocks: list[FloatArray] = [np.empty((0, dim), np.float32)]
    with store.frozen():
        for block in store.vectors(store.row_ids(condition), dim=dim):
            by_row = store.ids_of_rows(block.row_ids_N)
            names += [by_row[row] for row in block.row_ids_N.tolist()]
            blocks.append(block.vectors_ND)
    order_N = sorted(range(len(names)), key=names.__getitem__)
    return [names[place] for place in order_N], np.concatenate(blocks)[order_N]


def _pairs(
    vectors_ND: FloatArray, start: int, other: int, threshold: float
) -> tuple[IdArray, IdArray]:
    """Return the pairs of a tile at or above the threshold, the smaller place first."""
    products_RC = vectors_ND[start : start + _TILE] @ vectors_ND[other : other + _TILE].T
    error = score_error(vectors_ND.shape[1])
    left_P, right_P = np.nonzero(products_RC >= threshold - _ROUNDING - error)
    products_P = products_RC[left_P, right_P]
    left_P, right_P = left_P + start, right_P + other
    keep_P = (products_P >= threshold + error) & (left_P < right_P)
    # A blocked product rounds differently elsewhere: what is close is computed one by one.
    close = np.nonzero((products_P < threshold + error) & (left_P < right_P))[0]
    for part in np.array_split(close, len(close) // _TILE + 1):
        cosines = _cosines(vectors_ND[left_P[part]], vectors_ND[right_P[part]])
        keep_P[part] = cosines >= threshold - _ROUNDING
    return left_P[keep_P], right_P[keep_P]


def _cosines(left_PD: FloatArray, right_PD: FloatArray) -> NDArray[np.float64]:
    products_PD = left_PD.astype(np.float64) * right_PD.astype(np.float64)
    cosines: NDArray[np.float64] = products_PD.sum(axis=1)
    return cosines


def _group(members_N: IdArray, names: list[str], vectors_ND: FloatArray) -> DuplicateGroup:
    cosines = row_scores(vectors_ND[members_N[0]], vectors_ND[members_N])
    return DuplicateGroup(
        tuple(
            Lookalike(names[place], min(1.0, float(cosine)))
            for place, cosine in zip(members_N.tolist(), cosines, strict=True)
        )
    )
