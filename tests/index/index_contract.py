"""The contract that every backend of the vector index keeps: subclass it for a new one.

A subclass says how an index is made (``make``); ``settle`` may bring it into the state that is to
be tested, for example everything merged.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from core.types import FloatArray, IdArray
from index.scoring import row_scores
from index.vector_index import Candidates, VectorIndex
from tests.index.builders import random_units

COUNT, DIM = 2000, 32


def best(found: Candidates, count: int) -> list[int]:
    """Return the row ids of the best candidates, in order."""
    order = np.lexsort((found.row_ids_K, -found.scores_K))[:count]
    ids: list[int] = found.row_ids_K[order].tolist()
    return ids


def naive(query_D: FloatArray, row_ids_N: IdArray, vectors_ND: FloatArray, count: int) -> list[int]:
    """Return the row ids with the largest inner products, in float64."""
    order = np.argsort(-(vectors_ND.astype(float) @ query_D.astype(float)))[:count]
    ids: list[int] = row_ids_N[order].tolist()
    return ids


class IndexContract:
    """Rules for any exact backend; approximate ones add their own on recall."""

    def make(self, dim: int) -> VectorIndex:
        """Return an empty index."""
        raise NotImplementedError

    def settle(self, index: VectorIndex, folder: Path) -> None:
        """Bring a filled index into the state to be tested."""

    def filled(self, folder: Path, seed: int = 0) -> tuple[VectorIndex, IdArray, FloatArray]:
        """Return an index of 2000 rows with its row ids 10, 20, ... and vectors."""
        vectors_ND = random_units(COUNT, DIM, seed)
        row_ids_N = np.arange(1, COUNT + 1) * 10
        index = self.make(DIM)
        index.upsert(row_ids_N, vectors_ND)
        self.settle(index, folder)
        return index, row_ids_N, vectors_ND

    @pytest.mark.parametrize("count", [1, 10, 500])
    def test_a_search_finds_what_brute_force_finds(self, tmp_path: Path, count: int) -> None:
        """The best rows are those of a float64 matrix product."""
        index, row_ids_N, vectors_ND = self.filled(tmp_path)
        queries_QD = random_units(5, DIM, seed=1)

        found = index.search(queries_QD, count=count)

        for query_D, candidates in zip(queries_QD, found, strict=True):
            assert best(candidates, count) == naive(query_D, row_ids_N, vectors_ND, count)

    @pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 1.0])
    def test_a_filtered_search_looks_at_every_allowed_row(
        self, tmp_path: Path, share: float
    ) -> None:
        """Gathered rows, a bitmap and no selector at all give the exact answer."""
        index, row_ids_N, vectors_ND = self.filled(tmp_path)
        chosen = np.random.default_rng(2).permutation(COUNT)[: int(COUNT * share)]
        query_D = random_units(1, DIM, seed=3)[0]

        found = index.search(query_D[np.newaxis], count=5, allowed_N=row_ids_N[chosen])[0]

        assert best(found, 5) == naive(query_D, row_ids_N[chosen], vectors_ND[chosen], 5)
        assert found.unknown == 0

    def test_rows_above_the_floor_are_all_there(self, tmp_path: Path) -> None:
        """The promise that exact ties and pages rest on."""
        index, row_ids_N, vectors_ND = self.filled(tmp_path)
        query_D = random_units(1, DIM, seed=4)[0]

        found = index.search(query_D[np.newaxis], count=10)[0]

        above = row_ids_N[row_scores(query_D, vectors_ND) > found.floor]
        assert set(above.tolist()) <= set(found.row_ids_K.tolist())
        assert len(above) >= 10

    def test_scores_do_not_depend_on_count_batch_or_filter(self, tmp_path: Path) -> None:
        """One row has one score, to the last bit, whatever is asked beside it."""
        index, row_ids_N, _ = self.filled(tmp_path)
        queries_QD = random_units(40, DIM, seed=5)

        alone = index.search(queries_QD[:1], count=5)[0]
        reference = dict(zip(alone.row_ids_K.tolist(), alone.scores_K.tolist(), strict=True))
        others = [
            index.search(queries_QD, count=500)[0],
            index.search(queries_QD[:1], count=5, allowed_N=alone.row_ids_K[:7])[0],
            index.search(queries_QD[:1], count=20, allowed_N=row_ids_N[::2])[0],
        ]
        for found in others:
            scores = dict(zip(found.row_ids_K.tolist(), found.scores_K.tolist(), strict=True))
            shared = scores.keys() & reference.keys()
            assert shared
            assert all(scores[row] == reference[row] for row in shared)

    def test_fewer_rows_than_asked_are_no_padding(self, tmp_path: Path) -> None:
        """Three rows are three candidates; an empty index has none."""
        index = self.make(DIM)
        query_QD = random_units(1, DIM)
        assert len(index.search(query_QD, count=10)[0].row_ids_K) == 0

        index.upsert(np.array([5, 6, 7]), random_units(3, DIM))
        self.settle(index, tmp_path)
        found = index.search(query_QD, count=10)[0]

        assert sorted(found.row_ids_K.tolist()) == [5, 6, 7]
        assert found.floor == -np.inf

    def test_allowed_rows_that_are_unknown_are_counted(self, tmp_path: Path) -> None:
        """The caller learns that the index is behind."""
        index, *_ = self.filled(tmp_path)
        asked = np.array([10, 11, -1, 10**7])

        found = index.search(random_units(1, DIM), count=5, allowed_N=asked)[0]

        assert found.row_ids_K.tolist() == [10]
        assert found.unknown == 3

    def test_random_changes_leave_the_index_equal_to_a_dict(self, tmp_path: Path) -> None:
        """Upserts, replacements and deletes in any order keep rows and vectors together."""
        rng = np.random.default_rng(8)
        index = self.make(DIM)
        model: dict[int, FloatArray] = {}
        for step in range(60):
            rows = rng.choice(200, size=rng.integers(1, 40), replace=False)
            if rng.random() < 0.5:
                vectors_ND = random_units(len(rows), DIM, seed=1000 + step)
                index.upsert(rows, vectors_ND)
                model.update(zip(rows.tolist(), vectors_ND, strict=True))
            else:
                index.delete(rows)
                for row in rows.tolist():
                    model.pop(row, None)
            if step % 7 == 0:
                self.settle(index, tmp_path)
            assert index.count() == len(model)
        query_D = random_units(1, DIM, seed=9)[0]
        row_ids_N, vectors_ND = np.array(list(model)), np.stack(list(model.values()))

        found = index.search(query_D[np.newaxis], count=len(model))[0]

        assert sorted(index.row_ids().tolist()) == sorted(model)
        assert best(found, len(model)) == naive(query_D, row_ids_N, vectors_ND, len(model))

    def test_a_snapshot_restores_the_same_index(self, tmp_path: Path) -> None:
        """Rows, vectors and scores survive, and the restored index can be changed."""
        index, row_ids_N, _ = self.filled(tmp_path)
        if not index.capabilities.snapshots:
            pytest.skip("this backend keeps its own files")
        index.delete(row_ids_N[:100])
        index.snapshot(tmp_path / "a.snapshot")
        again = self.make(DIM)
        again.restore(tmp_path / "a.snapshot")
        query_QD = random_units(1, DIM, seed=10)

        first, second = index.search(query_QD, count=20)[0], again.search(query_QD, count=20)[0]

        assert best(first, 20) == best(second, 20)
        assert np.array_equal(np.sort(first.scores_K)[-20:], np.sort(second.scores_K)[-20:])
        again.delete(row_ids_N[100:200])
        again.upsert(np.array([1]), random_units(1, DIM))
        assert again.count() == COUNT - 199
        assert index.count() == COUNT - 100

    def test_searching_while_rows_change_never_mixes_them_up(self, tmp_path: Path) -> None:
        """A reader sees each row with its own vector, before or after a change."""
        index = self.make(DIM)
        units_ND = np.eye(DIM, dtype=np.float32)
        index.upsert(np.arange(DIM), units_ND)
        self.settle(index, tmp_path)
        stop = threading.Event()

        def churn() -> None:
            while not stop.is_set():
                index.delete(np.arange(0, DIM, 2))
                index.upsert(np.arange(0, DIM, 2), units_ND[::2])

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for turn in range(300):
                axis = turn % DIM
                found = index.search(units_ND[axis : axis + 1], count=DIM)[0]
                scores = dict(zip(found.row_ids_K.tolist(), found.scores_K.tolist(), strict=True))
                assert len(scores) == len(found.row_ids_K)
                assert scores.pop(axis, 1.0) == 1.0
                assert set(scores.values()) <= {0.0}
        finally:
            stop.set()
            thread.join()
