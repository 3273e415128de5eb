"""Scanning rows of 8-bit whole numbers in parts, by as many cores as are free.

# N = rows, P = parts, Q = queries, D = embedding dimension, K = rows found for one query

FAISS multiplies the bytes as whole numbers, which takes a quarter of the time of float32: a scan is
bound by reading the rows. The parts are equal, and whoever is free takes the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import faiss
import numpy as np

from core.cores import usable_cores
from core.types import FloatArray, IdArray
from index.rounding import RoundedQuery, Rounding
from index.scan_helpers import ScanHelpers

_faiss: Any = faiss
ROWS_OF_A_PART = 25_000
"""About 0.3 ms of one core at D = 384: more parts would cost more than they spread better."""
_MOST_HELPERS = 3
"""More of them only wait for the memory."""
_SPARE = 16
"""Rows of each part beyond its fair share of what is fetched."""


class ByteScan:
    """The parts of one matrix, and the threads that help to scan them."""

    def __init__(self, parts: Sequence[Any], rounding: Rounding, *, helpers: int = -1) -> None:
        """Scan ``parts``, which hold the rows in order.

        ``helpers`` threads help each time; -1 is one for each other core, as long as that pays.
        """
        self.rounding = rounding
        self.parts = tuple(parts)
        self._starts = np.cumsum([0, *(part.ntotal for part in parts)]).tolist()
        most = min(_MOST_HELPERS, usable_cores() - 1)
        self._helpers = ScanHelpers(
            most if helpers < 0 else helpers, prepare=_one_thread, always=helpers >= 0
        )

    @classmethod
    def build(cls, vectors_ND: FloatArray, *, check: Callable[[], None] = lambda: None) -> Self:
        """Round a matrix. ``check`` is called between blocks; what it raises ends the work."""

        def blocks(rows: int = ROWS_OF_A_PART) -> Iterator[FloatArray]:
            for start in range(0, len(vectors_ND), rows):
                check()
                yield vectors_ND[start : start + rows]

        count, dim = vectors_ND.shape
        rounding = Rounding.of(blocks, dim=dim)
        rows = max(1, math.ceil(count / max(1, round(count / ROWS_OF_A_PART))))
        return cls([_part(rounding.codes(block_BD)) for block_BD in blocks(rows)], rounding)

    @property
    def d(self) -> int:
        """D, as FAISS calls it."""
        return len(self.rounding.centre_D)

    @property
    def ntotal(self) -> int:
        """N, as FAISS calls it."""
        return int(self._starts[-1])

    def search(self, queries_QD: FloatArray, fetch: int) -> tuple[list[FloatArray], list[IdArray]]:
        """Return estimated scores and positions (K,) for each query, best first.

        K is about ``fetch``. No row that is missing has an estimate above the last one. The calling
        thread has told FAISS to use one thread.
        """
        rounded = [self.rounding.query(query_D) for query_D in queries_QD]
        numbers_QD = np.stack([query.numbers_D for query in rounded])
        share = min(fetch, fetch // len(self.parts) + _SPARE)
        of_parts = self._helpers.run(
            lambda place: self._of_part(place, numbers_QD, share), len(self.parts)
        )
        found = [
            self._joined([(sums[row], at[row]) for sums, at in of_parts], query, fetch)
            for row, query in enumerate(rounded)
        ]
        return [scores_K for scores_K, _ in found], [positions_K for _, positions_K in found]

    def _of_part(
        self, place: int, numbers_QD: FloatArray, share: int
    ) -> tuple[FloatArray, IdArray]:
        part = self.parts[place]
        sums_QK, positions_QK = part.search(numbers_QD, min(share, part.ntotal))
        return sums_QK, positions_QK + self._starts[place]

    def _joined(
        self,
        of_parts: Sequence[tuple[FloatArray, IdArray]],
        query: RoundedQuery,
        fetch: int,
    ) -> tuple[FloatArray, IdArray]:
        """Return the best of all parts, down to where each of them is complete."""
        sums_K = np.concatenate([sums for sums, _ in of_parts])
        positions_K = np.concatenate([positions for _, positions in of_parts])
        ends = [
            float(sums[-1])
            for (sums, _), part in zip(of_parts, self.parts, strict=True)
            if len(sums) < part.ntotal
        ]
        order_K = np.argsort(-sums_K, kind="stable")[:fetch]
        if ends:
            order_K = order_K[sums_K[order_K] >= max(ends)]
        scores_K = (query.shift + query.factor * sums_K[order_K].astype(np.float64)).astype(
            np.float32
        )
        return scores_K, positions_K[order_K]


def _one_thread() -> None:
    faiss.omp_set_num_threads(1)


def _part(codes_BD: FloatArray) -> Any:
    """Return the FAISS index of some rows of whole numbers."""
    part = _faiss.IndexScalarQuantizer(
        codes_BD.shape[1],
        _faiss.ScalarQuantizer.QT_8bit_direct_signed,
        faiss.METRIC_INNER_PRODUCT,
    )
    part.add(codes_BD)
    return part
