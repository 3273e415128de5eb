"""Rules of the scan of 8-bit rows: complete down to its last row, however many threads help.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest

from core.types import FloatArray
from index import byte_scan
from index.byte_scan import ByteScan
from index.index_plan import IndexPlan
from index.segmented_index import SegmentedIndex
from tests.index.builders import random_units
from tests.index.index_contract import best, naive

COUNT, DIM = 3000, 48


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 3000 rows be six parts, and FAISS use one thread as every search does."""
    faiss.omp_set_num_threads(1)
    monkeypatch.setattr(byte_scan, "ROWS_OF_A_PART", 500)


def built(vectors_ND: FloatArray, *, helpers: int) -> ByteScan:
    """Return a scan with a fixed number of helpers."""
    scan = ByteScan.build(vectors_ND)
    return ByteScan(scan.parts, scan.rounding, helpers=helpers)


@pytest.mark.parametrize("helpers", [0, 1, 3])
@pytest.mark.parametrize("ordered", [False, True])
def test_nothing_above_the_last_row_is_missing(helpers: int, *, ordered: bool) -> None:
    """Against estimates by NumPy, also where all good rows are in one part."""
    vectors_ND = random_units(COUNT, DIM)
    query_D = random_units(1, DIM, seed=1)[0]
    if ordered:
        vectors_ND = vectors_ND[np.argsort(vectors_ND @ query_D)]
    scan = built(vectors_ND, helpers=helpers)
    query = scan.rounding.query(query_D)
    sums_N = scan.rounding.codes(vectors_ND) @ query.numbers_D
    estimates_N = query.shift + query.factor * sums_N.astype(np.float64)

    (scores_K,), (positions_K,) = scan.search(query_D[np.newaxis], 100)

    assert len(set(positions_K.tolist())) == len(positions_K) >= 30
    assert np.allclose(scores_K, estimates_N[positions_K], rtol=0, atol=1e-6)
    assert (np.diff(scores_K) <= 0).all()
    missing_N = np.delete(estimates_N, positions_K)
    assert missing_N.max() <= scores_K[-1] + 1e-6


def test_sums_are_whole_numbers() -> None:
    """FAISS multiplies bytes without rounding, which the bound of the error takes for granted."""
    vectors_ND = random_units(COUNT, DIM)
    scan = ByteScan.build(vectors_ND)
    query_D = random_units(1, DIM, seed=2)[0]
    numbers_D = scan.rounding.query(query_D).numbers_D
    codes_ND = scan.rounding.codes(vectors_ND[:500])

    sums_QK, positions_QK = scan.parts[0].search(numbers_D[np.newaxis], 500)

    expected_N = codes_ND.astype(np.int64) @ numbers_D.astype(np.int64)
    assert sums_QK[0].tolist() == expected_N[positions_QK[0]].tolist()


def test_several_queries_are_found_as_each_alone() -> None:
    """A shared scan changes nothing."""
    scan = built(random_units(COUNT, DIM), helpers=1)
    queries_QD = random_units(5, DIM, seed=3)
    together = scan.search(queries_QD, 50)

    for place, query_D in enumerate(queries_QD):
        alone = scan.search(query_D[np.newaxis], 50)
        assert together[0][place].tolist() == alone[0][0].tolist()
        assert together[1][place].tolist() == alone[1][0].tolist()


def test_threads_that_scan_together_get_their_own_answers() -> None:
    """Helpers serve one scan at a time; the others do without."""
    scan = built(random_units(COUNT, DIM), helpers=1)
    queries_QD = random_units(64, DIM, seed=4)
    alone = [scan.search(query_D[np.newaxis], 30)[1][0].tolist() for query_D in queries_QD]
    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(lambda q: scan.search(q[np.newaxis], 30)[1][0], queries_QD))

    assert [positions_K.tolist() for positions_K in found] == alone


@pytest.mark.parametrize("share", [0.9, 0.5, 0.25, 0.1])
def test_filters_over_8_bits_are_exact(tmp_path: Path, share: float) -> None:
    """Wide ones are taken out of the proposals, narrow ones are gathered."""
    index, vectors_ND = merged(tmp_path / "base", random_units(COUNT, DIM))
    chosen_N = np.sort(np.random.default_rng(1).permutation(COUNT)[: int(share * COUNT)])
    for query_D in random_units(10, DIM, seed=8):
        (found,) = index.search(query_D[np.newaxis], count=12, allowed_N=chosen_N)
        assert best(found, 12) == naive(query_D, chosen_N, vectors_ND[chosen_N], 12)


def test_a_filter_against_the_query_is_exact(tmp_path: Path) -> None:
    """Where everything that 8 bits propose is forbidden, more is asked for, then all is read."""
    index, vectors_ND = merged(tmp_path / "base", random_units(COUNT, DIM))
    query_D = random_units(1, DIM, seed=9)[0]
    chosen_N = np.sort(np.argsort(-(vectors_ND @ query_D))[COUNT // 2 :])
    (found,) = index.search(query_D[np.newaxis], count=12, allowed_N=chosen_N)

    assert best(found, 12) == naive(query_D, chosen_N, vectors_ND[chosen_N], 12)


def test_rows_that_8_bits_cannot_tell_apart_are_exact(tmp_path: Path) -> None:
    """Thousands of rows closer to each other than the bound on the error."""
    near_ND = random_units(1, DIM) + 1e-2 * random_units(COUNT, DIM, seed=10)
    near_ND = (near_ND / np.linalg.norm(near_ND, axis=1, keepdims=True)).astype(np.float32)
    index, vectors_ND = merged(tmp_path / "base", np.concatenate([near_ND, random_units(500, DIM)]))
    query_D = near_ND[0] - 0.5 * random_units(1, DIM, seed=11)[0]
    query_D = (query_D / np.linalg.norm(query_D)).astype(np.float32)
    (found,) = index.search(query_D[np.newaxis], count=12)

    assert best(found, 12) == naive(query_D, np.arange(len(vectors_ND)), vectors_ND, 12)


def merged(path: Path, vectors_ND: FloatArray) -> tuple[SegmentedIndex, FloatArray]:
    """Return an index whose base is in 8 bits, and its vectors."""
    index = SegmentedIndex(vectors_ND.shape[1], plan_for=lambda _: IndexPlan("flat-int8"))
    index.upsert(np.arange(len(vectors_ND)), vectors_ND)
    index.snapshot(path)
    index.adopt(path)
    assert index.plan.kind == "flat-int8"
    return index, vectors_ND
