"""Concurrent searches share scans and get exactly what each would get alone.

# N = rows, Q = queries, D = embedding dimension, K = rows fetched for one query
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from core.types import FloatArray, IdArray
from index.collection import Collection
from index.index_plan import IndexPlan, Kind
from index.items import NewItem
from index.segmented_index import SegmentedIndex
from index.shared_scan import MOST_TOGETHER, SharedScan

PATIENCE_S = 60.0
DIM = 16
ENCODER_ID = "fa4e000000000001"


class Matrix:
    """Scans random rows, notes how many queries came together, and may be held or fail."""

    def __init__(self, rows: int = 500) -> None:
        """Start open."""
        self.vectors_ND = np.random.default_rng(0).standard_normal((rows, DIM)).astype(np.float32)
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fails_on = 0

    def __call__(self, queries_QD: FloatArray, fetch: int) -> tuple[FloatArray, IdArray]:
        """Return the best rows of each query."""
        self.sizes.append(len(queries_QD))
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if len(queries_QD) == self.fails_on:
            raise MemoryError
        scores_QN = (queries_QD[:, np.newaxis] * self.vectors_ND).sum(axis=2)
        positions_QK = np.argsort(-scores_QN, axis=1, kind="stable")[:, :fetch]
        return np.take_along_axis(scores_QN, positions_QK, axis=1), positions_QK


def queries(count: int, dim: int = DIM) -> FloatArray:
    """Return random unit vectors (Q, D)."""
    vectors_QD = np.random.default_rng(1).standard_normal((count, dim)).astype(np.float32)
    unit_QD: FloatArray = vectors_QD / np.linalg.norm(vectors_QD, axis=1, keepdims=True)
    return unit_QD


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for threads to get somewhere."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def asked_together(
    shared: SharedScan, matrix: Matrix, clients: ThreadPoolExecutor, count: int
) -> list[Future[tuple[FloatArray, IdArray]]]:
    """Hold a first scan until ``count`` other queries wait, each for another number of rows."""
    matrix.gate.clear()
    queries_QD = queries(count + 1)
    asked = [clients.submit(shared.search, queries_QD[0], 10)]
    assert matrix.entered.wait(PATIENCE_S)
    asked += [clients.submit(shared.search, queries_QD[n], 10 + n) for n in range(1, count + 1)]
    wait_until(lambda: shared.waiting == count)
    matrix.gate.set()
    return asked


def test_who_waits_together_is_answered_by_one_scan() -> None:
    """Five queries that waited for a sixth are one matrix product, each with its own K."""
    matrix = Matrix()
    shared = SharedScan(matrix, scans_at_once=1)
    with ThreadPoolExecutor(6) as clients:
        found = [future.result(PATIENCE_S) for future in asked_together(shared, matrix, clients, 5)]

    assert matrix.sizes == [1, 5]
    for number, (scores_K, positions_K) in enumerate(found):
        alone_scores_QK, alone_QK = matrix(queries(6)[number : number + 1], 10 + number)
        np.testing.assert_array_equal(positions_K, alone_QK[0])
        np.testing.assert_array_equal(scores_K, alone_scores_QK[0])


def test_a_lone_search_runs_at_once_and_alone() -> None:
    """Nothing waits for company."""
    matrix = Matrix()
    shared = SharedScan(matrix, scans_at_once=1)
    for query_D in queries(3):
        shared.search(query_D, 5)

    assert matrix.sizes == [1, 1, 1]


def test_one_scan_takes_no_more_than_its_bound() -> None:
    """Of forty who wait, the first 32 go, then the other eight."""
    matrix = Matrix()
    shared = SharedScan(matrix, scans_at_once=1)
    with ThreadPoolExecutor(41) as clients:
        for future in asked_together(shared, matrix, clients, 40):
            future.result(PATIENCE_S)

    assert matrix.sizes == [1, MOST_TOGETHER, 40 - MOST_TOGETHER]


def test_a_scan_that_fails_for_all_is_tried_by_each() -> None:
    """Memory for one may be there where that for four is not."""
    matrix = Matrix()
    matrix.fails_on = 4
    shared = SharedScan(matrix, scans_at_once=1)
    with ThreadPoolExecutor(5) as clients:
        asked = asked_together(shared, matrix, clients, 4)
        assert [len(future.result(PATIENCE_S)[0]) for future in asked] == [10, 11, 12, 13, 14]

    assert sorted(matrix.sizes) == [1, 1, 1, 1, 1, 4]


def test_an_error_is_the_callers_and_frees_the_next() -> None:
    """A search that fails alone raises, and the scan is free again."""
    matrix = Matrix()
    matrix.fails_on = 1
    shared = SharedScan(matrix, scans_at_once=1)
    with pytest.raises(MemoryError):
        shared.search(queries(1)[0], 5)
    matrix.fails_on = 0

    assert len(shared.search(queries(1)[0], 5)[0]) == 5


@pytest.mark.parametrize("kind", ["delta", "flat", "flat-int8", "flat-fp16"])
def test_candidates_of_concurrent_searches_are_exact(tmp_path: Path, kind: str) -> None:
    """In the delta and in an exact base: all rows above the floor, scored as by one alone."""
    vectors_ND = queries(3000, 64)
    index = SegmentedIndex(64)
    index.upsert(np.arange(3000), vectors_ND)
    if kind != "delta":
        index.snapshot(tmp_path / "base", plan=IndexPlan(cast("Kind", kind)))
        index.restore(tmp_path / "base")
    scan = index._state.base or index._state.delta
    # One scan at a time, so that on any machine the threads meet.
    scan._shared = SharedScan(scan._shared._scan, scans_at_once=1)
    queries_QD = queries(3200, 64)[3000:]

    def best(number: int) -> list[tuple[float, int]]:
        (found,) = index.search(queries_QD[number : number + 1], count=10)
        certain_K = found.scores_K > found.floor
        rows = zip(-found.scores_K[certain_K], found.row_ids_K[certain_K], strict=True)
        return sorted((float(score), int(row)) for score, row in rows)[:10]

    alone = [best(number) for number in range(200)]
    with ThreadPoolExecutor(8) as clients:
        together = list(clients.map(best, range(200)))

    assert together == alone
    assert all(len(places) == 10 for places in alone)
    index.close()


def test_hits_of_concurrent_searches_are_those_of_one_by_one(tmp_path: Path) -> None:
    """Same items, same order, same scores to the last bit, with ties and any k."""
    vectors_ND = queries(1000, DIM)
    # Every vector is there twice, so that each place is a tie that the id decides.
    doubled_ND = np.concatenate([vectors_ND, vectors_ND])
    items = [
        NewItem(f"item {number:05}", vector_D, f"{number:064x}", "", {})
        for number, vector_D in enumerate(doubled_ND)
    ]
    with Collection.open(tmp_path, encoder_id=ENCODER_ID, dim=DIM) as collection:
        collection.upsert(items)
        queries_QD = queries(1100, DIM)[1000:]

        def ask(number: int) -> list[tuple[str, float]]:
            found = collection.search(queries_QD[number], k=1 + number % 30)
            return [(hit.id, hit.score) for hit in found.hits]

        alone = [ask(number) for number in range(100)]
        with ThreadPoolExecutor(8) as clients:
            together = list(clients.map(ask, range(100)))

    assert together == alone
