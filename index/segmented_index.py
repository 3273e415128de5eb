"""The index of a collection: an immutable base, a flat delta for what is new, and tombstones.

# N = rows, Q = queries, D = embedding dimension, B = rows of a block

A snapshot of it is a new base with all its rows; adopting one swaps the base while searches go on.
Searches take no lock of this class: they read one state, base before delta, so that a row that
moves is seen at least once; the delta wins where both have it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.errors import StorageError
from core.types import FloatArray, IdArray
from index.base_segment import BaseSegment
from index.faiss_index import FaissIndex
from index.index_plan import IndexPlan, choose
from index.segment_file import Block, write_segment
from index.tombstones import Tombstones
from index.vector_index import Candidates, Capabilities, Effort

_ROWS_OF_A_BLOCK = 8192
_LEAST_DELTA = 20_000
_DELTA_SHARE = 10
_MOST_DELTA = 100_000
_DEAD_SHARE = 5


@dataclass(frozen=True, slots=True)
class _State:
    """What one search looks at."""

    base: BaseSegment | None
    dead: Tombstones
    delta: FaissIndex


@dataclass(frozen=True, slots=True)
class SegmentSizes:
    """How the rows are spread."""

    base: int
    dead: int
    delta: int


class SegmentedIndex:
    """Rows in a mapped base and a flat delta, behind the backend contract."""

    def __init__(self, dim: int, *, plan_for: Callable[[int], IndexPlan] | None = None) -> None:
        """Make an empty index of D = ``dim``.

        ``plan_for`` says for a number of rows what a new base is to be; the default is ``choose``.
        """
        self._dim = dim
        self.plan_for = plan_for or (lambda count: choose(count, dim))
        self._state = _State(None, Tombstones(0), FaissIndex(dim))
        self._changing = threading.Lock()
        self._stopped = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        """With snapshots; exact as long as the base is."""
        return Capabilities(
            exact=self.plan.exact, snapshots=True, read_your_writes=True, most_candidates=2**31 - 1
        )

    @property
    def plan(self) -> IndexPlan:
        """The plan of the present base; ``flat`` where there is none."""
        base = self._state.base
        return IndexPlan() if base is None else base.plan

    def upsert(self, row_ids_N: IdArray, vectors_ND: FloatArray) -> None:
        """Store rows; a row id that is known gets the new vector."""
        with self._changing:
            self._state.delta.upsert(row_ids_N, vectors_ND)
            self._bury(row_ids_N)

    def delete(self, row_ids_N: IdArray) -> None:
        """Forget rows; unknown row ids are no error."""
        with self._changing:
            self._bury(row_ids_N)
            self._state.delta.delete(row_ids_N)

    def search(
        self,
        queries_QD: FloatArray,
        *,
        count: int,
        allowed_N: IdArray | None = None,
        effort: Effort = "balanced",
    ) -> list[Candidates]:
        """Return at least the ``count`` best rows for each query, unordered, exactly scored."""
        state = self._state
        base = state.base
        if base is None:
            return state.delta.search(queries_QD, count=count, allowed_N=allowed_N)
        in_base_N, elsewhere_N = None, None
        if allowed_N is not None:
            positions_N = base.positions(allowed_N)
            alive_N = state.dead.are_alive(positions_N)
            in_base_N, elsewhere_N = positions_N[alive_N], allowed_N[~alive_N]
        of_base = [
            base.search(query_D, count=count, allowed_N=in_base_N, dead=state.dead, effort=effort)
            for query_D in queries_QD
        ]
        if not state.delta.count():
            unknown = 0 if elsewhere_N is None else len(elsewhere_N)
            return [replace(found, unknown=unknown) for found in of_base]
        of_delta = state.delta.search(queries_QD, count=count, allowed_N=elsewhere_N)
        return [_joined(old, new) for old, new in zip(of_base, of_delta, strict=True)]

    def count(self) -> int:
        """Return the number of rows."""
        sizes = self.sizes()
        return sizes.base - sizes.dead + sizes.delta

    def sizes(self) -> SegmentSizes:
        """Return how many rows are in the base, dead in it, and in the delta."""
        state = self._state
        base = 0 if state.base is None else len(state.base)
        return SegmentSizes(base, state.dead.count, state.delta.count())

    def wants_merge(self) -> bool:
        """Return whether the delta or the tombstones have grown large for the base."""
        sizes = self.sizes()
        most = max(_LEAST_DELTA, min(sizes.base // _DELTA_SHARE, _MOST_DELTA))
        return sizes.delta >= most or sizes.dead >= max(_LEAST_DELTA, sizes.base // _DEAD_SHARE)

    def row_ids(self) -> IdArray:
        """Return every row id, unordered."""
        with self._changing:
            return self._row_ids(self._state)

    def vectors(self, row_ids_K: IdArray) -> FloatArray:
        """Return the vectors (K, D) of rows, without those that are gone by now."""
        found = [np.empty((0, self._dim), np.float32)]
        found += [vectors_BD for _, vectors_BD in _blocks(self._state, row_ids_K)]
        return np.concatenate(found)

    def snapshot(self, path: Path, *, plan: IndexPlan | None = None) -> None:
        """Write all rows as a base file. Rows that change meanwhile may be in it or not.

        Args:
            path: of the new file.
            plan: of the base; ``None`` asks ``plan_for``.

        Raises:
            StorageError: the file cannot be written, or ``stop`` was called.
        """
        with self._changing:
            state = self._state
            row_ids_N = np.sort(self._row_ids(state))
        try:
            write_segment(
                path,
                _blocks(state, row_ids_N),
                dim=self._dim,
                plan_for=self.plan_for if plan is None else lambda _: plan,
                check=self._check,
            )
        except RuntimeError as error:
            raise StorageError(f"{path} cannot be written: {error}") from error

    def adopt(self, path: Path) -> None:
        """Put a verified base file in the place of the base; the rows stay the present ones.

        Raises:
            StorageError: the file holds something else; the index is as before.
        """
        base = BaseSegment.open(path, dim=self._dim)
        with self._changing:
            old = self._state
            held_N = self._row_ids(old)
            positions_N = base.positions(held_N)
            gone_N = np.ones(len(base), bool)
            gone_N[positions_N[positions_N >= 0]] = False
            dead = Tombstones(len(base))
            dead.bury(np.flatnonzero(gone_N))
            staying_N = held_N[positions_N < 0]
            changed_N = _changed_rows(base, old.delta)
            dead.bury(base.positions(changed_N))
            delta = FaissIndex(self._dim)
            for block in _blocks(old, np.concatenate([staying_N, changed_N])):
                delta.upsert(*block)
            self._state = _State(base, dead, delta)

    def restore(self, path: Path) -> None:
        """Replace all rows by those of a verified base file."""
        base = BaseSegment.open(path, dim=self._dim)
        with self._changing:
            self._state = _State(base, Tombstones(len(base)), FaissIndex(self._dim))

    def stop(self) -> None:
        """Let a snapshot that is being written fail soon, and every later one at once."""
        self._stopped.set()

    def close(self) -> None:
        """Release the memory; a search that still runs keeps what it looks at."""
        with self._changing:
            self._state = _State(None, Tombstones(0), FaissIndex(self._dim))

    def _check(self) -> None:
        if self._stopped.is_set():
            raise StorageError("the snapshot was given up: the collection is being closed")

    def _bury(self, row_ids_N: IdArray) -> None:
        if self._state.base is not None:
            positions_N = self._state.base.positions(row_ids_N)
            self._state.dead.bury(positions_N[positions_N >= 0])

    @staticmethod
    def _row_ids(state: _State) -> IdArray:
        new_N = state.delta.row_ids()
        if state.base is None:
            return new_N
        return np.concatenate([state.base.row_ids()[state.dead.alive()], new_N])


def _blocks(state: _State, row_ids_N: IdArray) -> Iterator[Block]:
    """Yield rows with their vectors, in the given order, without those that are gone by now."""
    for start in range(0, len(row_ids_N), _ROWS_OF_A_BLOCK):
        wanted_B = row_ids_N[start : start + _ROWS_OF_A_BLOCK]
        vectors_BD, new_B = state.delta.vectors(wanted_B)
        found_B = new_B.copy()
        if state.base is not None:
            positions_B = state.base.positions(wanted_B)
            old_B = ~new_B & (positions_B >= 0)
            vectors_BD[old_B] = state.base.vectors(positions_B[old_B])
            found_B |= old_B
        yield wanted_B[found_B], vectors_BD[found_B]


def _changed_rows(base: BaseSegment, delta: FaissIndex) -> IdArray:
    """Return the rows of the delta that the base has with another vector."""
    shared_N = delta.row_ids()
    shared_N = shared_N[base.positions(shared_N) >= 0]
    changed = [np.empty(0, np.int64)]
    for start in range(0, len(shared_N), _ROWS_OF_A_BLOCK):
        rows_B = shared_N[start : start + _ROWS_OF_A_BLOCK]
        same_B = (base.vectors(base.positions(rows_B)) == delta.vectors(rows_B)[0]).all(axis=1)
        changed.append(rows_B[~same_B])
    return np.concatenate(changed)


def _joined(old: Candidates, new: Candidates) -> Candidates:
    """Return the candidates of base and delta as one."""
    kept_K = np.isin(old.row_ids_K, new.row_ids_K, invert=True)
    return Candidates(
        np.concatenate([old.row_ids_K[kept_K], new.row_ids_K]),
        np.concatenate([old.scores_K[kept_K], new.scores_K]),
        max(old.floor, new.floor),
        new.unknown,
        old.plan,
    )
