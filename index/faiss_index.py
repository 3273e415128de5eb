"""Exact inner-product search with FAISS, the embedded default behind the backend contract.

# N = rows, Q = queries, D = embedding dimension, K = candidates of one query

Rows are dense in FAISS and the row ids live in a table of our own: an ``IDMap`` would make FAISS
visit every row even where an ``IDSelectorArray`` allows a few (measured 94 times slower).
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from core.errors import StorageError
from core.timing import timed
from core.types import FloatArray, IdArray
from index.locks import ReadWriteLock
from index.row_table import RowTable
from index.scoring import exact_scores, score_error
from index.shared_scan import SharedScan
from index.vector_index import Candidates, Capabilities, Effort

# The stubs that FAISS ships lack what its Python layer adds: search parameters, id maps, views.
_faiss: Any = faiss
_SLACK = 64
"""Rows fetched beyond the asked count, so that ties at the cut seldom need a second pass."""
_GATHER_FRACTION = 0.2
"""Below this share of allowed rows FAISS gathers them; above it tests a bitmap. Both are exact."""
_CAPABILITIES = Capabilities(
    exact=True, snapshots=True, read_your_writes=True, most_candidates=2**31 - 1
)


class FaissIndex:
    """All vectors in one flat float32 matrix; every search looks at every allowed row."""

    def __init__(self, dim: int) -> None:
        """Make an empty index of D = ``dim``."""
        # With the default (128 000) FAISS leaves BLAS unused for small batches: 4.7 times slower.
        if hasattr(faiss, "cvar") and hasattr(faiss.cvar, "distance_compute_blas_threshold"):
            faiss.cvar.distance_compute_blas_threshold = 4 * dim
        self._dim = dim
        self._lock = ReadWriteLock()
        self._snapshotting = threading.Lock()
        self._rows = RowTable()
        self._flat: Any = None
        self._named: Any = None
        self._shared = SharedScan(self._scan)
        self._clear()

    @property
    def capabilities(self) -> Capabilities:
        """Exact, with snapshots."""
        return _CAPABILITIES

    def upsert(self, row_ids_N: IdArray, vectors_ND: FloatArray) -> None:
        """Store rows; a row id that is known gets the new vector."""
        if not len(row_ids_N):
            return
        with self._lock.writing():
            self._remove(row_ids_N)
            self._flat.add(np.ascontiguousarray(vectors_ND, np.float32))
            self._rows.append(row_ids_N)

    def delete(self, row_ids_N: IdArray) -> None:
        """Forget rows; unknown row ids are no error."""
        with self._lock.writing():
            self._remove(row_ids_N)

    def search(
        self,
        queries_QD: FloatArray,
        *,
        count: int,
        allowed_N: IdArray | None = None,
        effort: Effort = "balanced",
    ) -> list[Candidates]:
        """Return at least the ``count`` best rows for each query, unordered, exactly scored."""
        # libgomp keeps the number of threads per calling thread, and FAISS' own choice for a
        # single query on two threads is 3.5 times slower than one thread.
        faiss.omp_set_num_threads(1)
        with self._lock.reading():
            if allowed_N is None:
                return self._search(queries_QD, count, None, unknown=0)
            positions_N = self._rows.positions(allowed_N)
            known_N = positions_N[positions_N >= 0]
            return self._search(queries_QD, count, known_N, unknown=len(positions_N) - len(known_N))

    def count(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def row_ids(self) -> IdArray:
        """Return every row id, unordered."""
        with self._lock.reading():
            return self._rows.row_ids().copy()

    def vectors(self, row_ids_K: IdArray) -> tuple[FloatArray, np.ndarray]:
        """Return the vectors of rows (K, D), and a mask (K,) of those that the index holds."""
        vectors_KD = np.zeros((len(row_ids_K), self._dim), np.float32)
        with self._lock.reading():
            positions_K = self._rows.positions(row_ids_K)
            held_K = positions_K >= 0
            vectors_KD[held_K] = self._vectors_at(positions_K[held_K])
        return vectors_KD, held_K

    def snapshot(self, path: Path) -> None:
        """Write all rows and their row ids to a new FAISS file."""
        with self._snapshotting, self._lock.reading():
            faiss.copy_array_to_vector(self._rows.row_ids().copy(), self._named.id_map)
            self._named.ntotal = self._flat.ntotal
            try:
                _faiss.write_index(self._named, str(path))
            except RuntimeError as error:
                raise StorageError(f"{path} cannot be written: {error}") from error

    def restore(self, path: Path) -> None:
        """Replace all rows by those of a verified FAISS file."""
        try:
            named = _faiss.read_index(str(path))
            flat = _faiss.downcast_index(named.index)
        except (RuntimeError, AttributeError) as error:
            raise StorageError(f"{path} is not a snapshot of a flat index: {error}") from error
        if not isinstance(flat, _faiss.IndexFlat) or flat.d != self._dim:
            raise StorageError(f"{path} holds another kind of index than flat, dim {self._dim}")
        row_ids_N = faiss.vector_to_array(named.id_map)
        with self._lock.writing():
            self._named, self._flat = named, flat
            self._rows = RowTable()
            self._rows.append(row_ids_N)

    def close(self) -> None:
        """Release the matrix."""
        with self._lock.writing():
            self._clear()

    def _clear(self) -> None:
        # The map is only the shape of a snapshot on disk: rows are added to the matrix inside it.
        # Moving a matrix between maps is not an option: FAISS' Python layer loses count of owners.
        self._flat = _faiss.IndexFlatIP(self._dim)
        self._named = _faiss.IndexIDMap(self._flat)
        self._rows = RowTable()

    def _remove(self, row_ids_N: IdArray) -> None:
        """Fill the holes from the end, so that the matrix stays dense without shifting it."""
        moved_to, moved_from, kept = self._rows.remove(row_ids_N)
        if kept == self._flat.ntotal:
            return
        matrix_ND = faiss.rev_swig_ptr(self._flat.get_xb(), self._flat.ntotal * self._dim)
        matrix_ND = matrix_ND.reshape(-1, self._dim)
        matrix_ND[moved_to] = matrix_ND[moved_from]
        del matrix_ND
        self._flat.codes.resize(kept * self._dim * 4)
        self._flat.ntotal = kept

    def _search(
        self, queries_QD: FloatArray, count: int, positions_N: IdArray | None, *, unknown: int
    ) -> list[Candidates]:
        total = self._flat.ntotal if positions_N is None else len(positions_N)
        fetch = count + _SLACK
        if fetch >= total:
            positions_N = np.arange(total) if positions_N is None else positions_N
            return [self._scored(query_D, positions_N, -np.inf, unknown) for query_D in queries_QD]
        queries_QD = np.ascontiguousarray(queries_QD, np.float32)
        if positions_N is None and len(queries_QD) == 1:
            # The rows stay as they are: whoever shares the scan holds the lock for reading too.
            scores_K, found_K = self._shared.search(queries_QD[0], fetch)
            scores_QK, positions_QK = scores_K[np.newaxis], found_K[np.newaxis]
        else:
            scores_QK, positions_QK = self._flat.search(
                queries_QD, fetch, params=self._parameters(positions_N)
            )
        error = score_error(self._dim)
        return [
            self._scored(query_D, found_K, float(scores_K.min()) + error, unknown)
            for query_D, found_K, scores_K in zip(queries_QD, positions_QK, scores_QK, strict=True)
        ]

    def _scan(self, queries_QD: FloatArray, fetch: int) -> tuple[FloatArray, IdArray]:
        """Compare with every row."""
        faiss.omp_set_num_threads(1)
        found: tuple[FloatArray, IdArray] = self._flat.search(queries_QD, fetch)
        return found

    def _parameters(self, positions_N: IdArray | None) -> object:
        if positions_N is None or len(positions_N) == self._flat.ntotal:
            return None
        if len(positions_N) < _GATHER_FRACTION * self._flat.ntotal:
            return _faiss.SearchParameters(sel=_faiss.IDSelectorArray(np.sort(positions_N)))
        allowed_N = np.zeros(self._flat.ntotal, bool)
        allowed_N[positions_N] = True
        bitmap = np.packbits(allowed_N, bitorder="little")
        return _faiss.SearchParameters(sel=_faiss.IDSelectorBitmap(bitmap))

    def _scored(
        self, query_D: FloatArray, positions_K: IdArray, floor: float, unknown: int
    ) -> Candidates:
        with timed("rescore"):
            scores_K = exact_scores(query_D, positions_K, self._vectors_at)
        return Candidates(self._rows.row_ids()[positions_K], scores_K, floor, unknown)

    def _vectors_at(self, positions_K: IdArray) -> FloatArray:
        vectors_KD: FloatArray = self._flat.reconstruct_batch(np.ascontiguousarray(positions_K))
        return vectors_KD
