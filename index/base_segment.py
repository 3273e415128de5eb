"""Searching an immutable base: exactly, or by its approximate index and exact re-ranking.

# N = rows, Q = queries, D = embedding dimension, K = candidates of one query, P = pool

The pool of an approximate search depends on the query, the filter and the effort alone, never on
how many hits are wanted: its best quarter is the beginning of every answer, and whatever an answer
needs below that is searched exactly. So each k and each page shows one and the same order.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from core.timing import timed
from core.types import FloatArray, IdArray
from index.index_plan import TRUSTED, IndexPlan
from index.row_table import RowTable
from index.scoring import exact_scores, half_error, score_error
from index.segment_file import Segment, open_segment
from index.shared_scan import Scanned, SharedScan
from index.tombstones import Tombstones
from index.vector_index import Candidates, Effort

_faiss: Any = faiss
_SLACK = 64
"""Rows fetched beyond the asked count, so that ties at the cut seldom need a second pass."""
_POOL_SLACK = 16
"""The same for the pool of an approximate search, where a second pass is an exact one."""
_GATHER_FRACTION = 0.2
"""Below this share of allowed rows they are gathered; above it FAISS tests a bitmap."""
_GATHERED_ROWS = 20_000
"""Up to so many allowed rows are searched exactly: 4 ms at D = 512."""
_OVERFETCHED = 1024
"""Up to so many deleted rows are skipped in the answer; more are hidden from FAISS by a bitmap."""
_LEAST_SHARE = 0.25
"""Without lists to visit more of, an approximate index is not asked below this allowed share."""
_LEAST_PRODUCT = {"flat-fp16": 5, "flat-int8": 16}
"""From so many queries on, one product in float32 takes less than as many scans of the codes."""
_LEAST_BYTES = 128
"""Rows that a scan of 8-bit codes fetches at least: its bound on errors is wide."""
_MOST_BYTES = 16_384
"""Beyond so many a scan in float32 takes less than looking at each of them again."""


class BaseSegment:
    """Rows that never change, with one index over them."""

    def __init__(self, segment: Segment) -> None:
        """Search in an open file; use :meth:`open`."""
        self._segment = segment
        self.plan: IndexPlan = segment.plan
        self._dim = segment.vectors_ND.shape[1]
        self._rows = RowTable()
        self._rows.append(segment.row_ids_N)
        self._shared = SharedScan(self._scan_all)
        self._reach = _LEAST_BYTES
        """Rows that recent scans of 8-bit codes had to fetch."""

    @classmethod
    def open(cls, path: Path, *, dim: int) -> Self:
        """Map a file.

        Raises:
            StorageError: it holds something else.
        """
        return cls(open_segment(path, dim=dim))

    def __len__(self) -> int:
        return len(self._rows)

    def row_ids(self) -> IdArray:
        """Return the row ids by position, ascending."""
        return self._rows.row_ids()

    def positions(self, row_ids_N: IdArray) -> IdArray:
        """Return the position of each row id, -1 where it is unknown."""
        return self._rows.positions(row_ids_N)

    def vectors(self, positions_K: IdArray) -> FloatArray:
        """Return the vectors at some positions, (K, D)."""
        return self._segment.vectors_ND[positions_K]

    def search(
        self,
        query_D: FloatArray,
        *,
        count: int,
        allowed_N: IdArray | None,
        dead: Tombstones,
        effort: Effort,
        plan: IndexPlan | None = None,
    ) -> Candidates:
        """Return at least ``count`` candidates where so many are allowed, exactly scored.

        Args:
            query_D: unit vector.
            count: wanted rows.
            allowed_N: positions that are allowed and alive; ``None`` for all that are alive.
            dead: positions that are deleted.
            effort: ``exact`` looks at every allowed row, ``fast`` at half of the usual lists.
            plan: other search parameters than those of the file, for tuning.
        """
        faiss.omp_set_num_threads(1)
        plan = plan or self.plan
        exactly = plan.exact or effort == "exact" or dead.count == len(self)
        if exactly or (allowed_N is not None and len(allowed_N) <= _GATHERED_ROWS):
            return self._exact(query_D, count, allowed_N, dead)
        pool_P = self._pool(query_D, allowed_N, dead, plan, fast=effort == "fast")
        if pool_P is None:
            return self._exact(query_D, count, allowed_N, dead)
        begun, complete = self._begin(query_D, count, pool_P, plan)
        return (
            begun if complete else _continued(begun, self._exact(query_D, count, allowed_N, dead))
        )

    def _exact(
        self, query_D: FloatArray, count: int, allowed_N: IdArray | None, dead: Tombstones
    ) -> Candidates:
        alive = len(self) - dead.count if allowed_N is None else len(allowed_N)
        fetch = count + _SLACK
        if fetch >= alive:
            positions_K = dead.alive() if allowed_N is None else allowed_N
            return self._scored(query_D, positions_K, -np.inf)
        if self.plan.kind == "flat-int8" and alive >= _GATHER_FRACTION * len(self):
            found = self._by_bytes(query_D, count, allowed_N, dead)
            if found is not None:
                return found
        # A few dead rows cost less as surplus candidates than as a bitmap that FAISS has to test.
        surplus = dead.count if allowed_N is None and dead.count <= _OVERFETCHED else 0
        chosen = _Selector()
        if allowed_N is not None or dead.count > _OVERFETCHED:
            chosen = self._selector(allowed_N, dead)
        halves = self.plan.kind == "flat-fp16" and not chosen.gathers
        scores_K, positions_K = self._scan(query_D, fetch + surplus, chosen, halves=halves)
        error = score_error(self._dim) + (half_error(self._dim) if halves else 0.0)
        positions_K = positions_K[dead.are_alive(positions_K)]
        return self._scored(query_D, positions_K, float(scores_K.min()) + error)

    def _by_bytes(
        self, query_D: FloatArray, count: int, allowed_N: IdArray | None, dead: Tombstones
    ) -> Candidates | None:
        """Let 8-bit codes propose until nothing better can be missing; ``None``: too much work."""
        chosen_N = None if allowed_N is None and not dead.count else self._mask(allowed_N, dead)
        alive = len(self) if chosen_N is None else int(np.count_nonzero(chosen_N))
        error = self._segment.index.rounding.query(query_D).error
        wanted = count + _POOL_SLACK
        fetch = max(self._reach, 4 * wanted)
        query_D = np.ascontiguousarray(query_D, np.float32)
        while (surplus := math.ceil(fetch * len(self) / alive)) <= min(_MOST_BYTES, len(self) // 2):
            estimates_K, positions_K = self._shared.search(query_D, surplus)
            floor = float(estimates_K[-1]) + error
            if chosen_N is not None:
                positions_K = positions_K[chosen_N[positions_K]]
            if len(positions_K) > wanted:
                nearly_K = self._nearly(query_D, positions_K)
                cut = -float(np.partition(-nearly_K, wanted)[wanted])
                if floor <= cut:
                    needed = int(np.count_nonzero(estimates_K >= cut - error))
                    self._reach = max(_LEAST_BYTES, 2 * needed * alive // len(self), fetch // 2)
                    cut += score_error(self._dim)
                    kept_K = positions_K[nearly_K > cut - 2 * score_error(self._dim)]
                    return self._scored(query_D, kept_K, cut)
            fetch *= 4
        return None

    def _scan(
        self, query_D: FloatArray, fetch: int, chosen: _Selector, *, halves: bool
    ) -> tuple[FloatArray, IdArray]:
        """Compare with every selected row, in float32 or in float16."""
        if chosen.faiss is None and self.plan.kind != "flat-int8":
            return self._shared.search(np.ascontiguousarray(query_D, np.float32), fetch)
        query_QD = np.ascontiguousarray(query_D[np.newaxis], np.float32)
        scan = self._scan_halves if halves else self._scan_floats
        scores_QK, positions_QK = scan(query_QD, fetch, chosen)
        return scores_QK[0], positions_QK[0]

    def _scan_all(self, queries_QD: FloatArray, fetch: int) -> Scanned:
        """Compare with every row: codes are read faster, float32 is multiplied faster."""
        if len(queries_QD) < _LEAST_PRODUCT.get(self.plan.kind, 0):
            if self.plan.kind == "flat-int8":
                found: tuple[list[FloatArray], list[IdArray]] = self._segment.index.search(
                    queries_QD, fetch
                )
                return found
            return self._scan_halves(queries_QD, fetch, _Selector())
        return self._scan_floats(queries_QD, fetch, _Selector())

    def _scan_halves(
        self, queries_QD: FloatArray, fetch: int, chosen: _Selector
    ) -> tuple[FloatArray, IdArray]:
        found: tuple[FloatArray, IdArray] = self._segment.index.search(
            queries_QD, fetch, params=_faiss.SearchParameters(sel=chosen.faiss)
        )
        return found

    def _scan_floats(
        self, queries_QD: FloatArray, fetch: int, chosen: _Selector
    ) -> tuple[FloatArray, IdArray]:
        scores_QK = np.empty((len(queries_QD), fetch), np.float32)
        positions_QK = np.empty((len(queries_QD), fetch), np.int64)
        _faiss.knn_inner_product(
            _faiss.swig_ptr(queries_QD),
            _faiss.swig_ptr(self._segment.vectors_ND),
            self._dim,
            len(queries_QD),
            len(self),
            fetch,
            _faiss.swig_ptr(scores_QK),
            _faiss.swig_ptr(positions_QK),
            chosen.faiss,
        )
        return scores_QK, positions_QK

    def _pool(
        self,
        query_D: FloatArray,
        allowed_N: IdArray | None,
        dead: Tombstones,
        plan: IndexPlan,
        *,
        fast: bool,
    ) -> IdArray | None:
        """Return positions that the approximate index finds; ``None``: not worthwhile."""
        alive = len(self) - dead.count if allowed_N is None else len(allowed_N)
        share, fetch = alive / len(self), plan.depth
        selector = _Selector()
        if share < 1 and plan.takes_selector:
            selector = self._bitmap(allowed_N, dead)
        elif share < 1:
            fetch = math.ceil(1.2 * fetch / share) + _SLACK
        probes = math.ceil(plan.probes / (2 if fast else 1) / share)
        if probes > plan.lists if plan.has_lists else share < _LEAST_SHARE:
            return None
        _, positions_QP = self._segment.index.search(
            np.ascontiguousarray(query_D[np.newaxis], np.float32),
            min(fetch, len(self)),
            params=_parameters(plan, probes, selector),
        )
        positions_P: IdArray = positions_QP[0][positions_QP[0] >= 0]
        if share < 1 and not plan.takes_selector:
            positions_P = positions_P[self._mask(allowed_N, dead)[positions_P]]
        return positions_P[: plan.depth]

    def _begin(
        self, query_D: FloatArray, count: int, pool_P: IdArray, plan: IndexPlan
    ) -> tuple[Candidates, bool]:
        """Return the best quarter of the pool, and whether ``count`` candidates are among it."""
        trusted = len(pool_P) // TRUSTED
        error = score_error(self._dim)
        nearly_P = self._nearly(query_D, pool_P)
        floor = np.inf
        if trusted:
            floor = float(-np.partition(-nearly_P, trusted)[trusted]) + error
        wanted = count + _POOL_SLACK
        complete = wanted <= trusted
        if complete:
            floor = max(floor, float(-np.partition(-nearly_P, wanted)[wanted]) + error)
        chosen_P = pool_P[nearly_P > floor - 2 * error]
        return self._scored(query_D, chosen_P, floor, plan.describe()), complete

    def _nearly(self, query_D: FloatArray, pool_P: IdArray) -> FloatArray:
        """Return float32 scores of the pool, without copying its vectors."""
        scores_P = np.empty(len(pool_P), np.float32)
        query_D = np.ascontiguousarray(query_D, np.float32)
        pool_P = np.ascontiguousarray(pool_P)
        _faiss.fvec_inner_products_by_idx(
            _faiss.swig_ptr(scores_P),
            _faiss.swig_ptr(query_D),
            _faiss.swig_ptr(self._segment.vectors_ND),
            _faiss.swig_ptr(pool_P),
            self._dim,
            1,
            len(pool_P),
        )
        return scores_P

    def _scored(
        self, query_D: FloatArray, positions_K: IdArray, floor: float, plan: str = "exact"
    ) -> Candidates:
        with timed("rescore"):
            scores_K = exact_scores(query_D, positions_K, self.vectors)
        return Candidates(self._rows.row_ids()[positions_K], scores_K, floor, plan=plan)

    def _mask(self, allowed_N: IdArray | None, dead: Tombstones) -> np.ndarray:
        if allowed_N is None:
            return dead.alive_mask()
        mask_N = np.zeros(len(self), bool)
        mask_N[allowed_N] = True
        return mask_N

    def _selector(self, allowed_N: IdArray | None, dead: Tombstones) -> _Selector:
        if allowed_N is not None and len(allowed_N) < _GATHER_FRACTION * len(self):
            return _Selector(_faiss.IDSelectorArray(np.sort(allowed_N)), gathers=True)
        return self._bitmap(allowed_N, dead)

    def _bitmap(self, allowed_N: IdArray | None, dead: Tombstones) -> _Selector:
        bits = np.packbits(self._mask(allowed_N, dead), bitorder="little")
        return _Selector(_faiss.IDSelectorBitmap(bits))


def _continued(begun: Candidates, exact: Candidates) -> Candidates:
    """Return the beginning down to its floor, and below it what an exact search found."""
    above_K, below_K = begun.scores_K > begun.floor, exact.scores_K <= begun.floor
    return Candidates(
        np.concatenate([begun.row_ids_K[above_K], exact.row_ids_K[below_K]]),
        np.concatenate([begun.scores_K[above_K], exact.scores_K[below_K]]),
        min(begun.floor, exact.floor),
        plan=f"{begun.plan}, then exact",
    )


class _Selector:
    """What FAISS is told to look at; ``None``: every row."""

    __slots__ = ("faiss", "gathers")

    def __init__(self, selector: object = None, *, gathers: bool = False) -> None:
        self.faiss = selector
        self.gathers = gathers


def _parameters(plan: IndexPlan, probes: int, selector: _Selector) -> object:
    """Return the parameters of one call: shared ones would be changed under other threads."""
    if plan.has_lists:
        kind = (
            _faiss.IVFRaBitQSearchParameters
            if plan.kind == "ivf-rabitq"
            else _faiss.SearchParametersIVF
        )
        return kind(nprobe=probes, sel=selector.faiss)
    if plan.kind == "hnsw":
        return _faiss.SearchParametersHNSW(efSearch=max(plan.depth, 256), sel=selector.faiss)
    return None
