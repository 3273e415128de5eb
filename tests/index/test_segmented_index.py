"""Rules of the segmented index: exact in every state, whole while a merge runs."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageError
from index.index_plan import IndexPlan
from index.segmented_index import SegmentedIndex
from index.vector_index import VectorIndex
from tests.index.builders import random_units
from tests.index.index_contract import COUNT, DIM, IndexContract, best, naive


def merge(index: VectorIndex, folder: Path) -> None:
    """Write all rows into a new base and take it, as the merge in the background does."""
    assert isinstance(index, SegmentedIndex)
    path = folder / f"{len(list(folder.iterdir()))}.segment"
    index.snapshot(path)
    index.adopt(path)


class TestDelta(IndexContract):
    """Everything is new: no base."""

    def make(self, dim: int) -> SegmentedIndex:
        """Return an empty segmented index."""
        return SegmentedIndex(dim)


class TestFlatBase(TestDelta):
    """Everything is in the base; what changes later is not."""

    def settle(self, index: VectorIndex, folder: Path) -> None:
        """Merge."""
        merge(index, folder)


class TestHalfBase(TestFlatBase):
    """The base is in float16 and re-ranked: as exact as float32."""

    def make(self, dim: int) -> SegmentedIndex:
        """Return an index whose bases are in float16."""
        return SegmentedIndex(dim, plan_for=lambda _: IndexPlan("flat-fp16"))


class TestByteBase(TestFlatBase):
    """The base is in 8 bits and re-ranked: as exact as float32."""

    def make(self, dim: int) -> SegmentedIndex:
        """Return an index whose bases are in 8 bits."""
        return SegmentedIndex(dim, plan_for=lambda _: IndexPlan("flat-int8"))


class TestBothParts(TestDelta):
    """A third of the rows is in the delta, and the base has tombstones."""

    def settle(self, index: VectorIndex, folder: Path) -> None:
        """Merge, then replace every third row by itself."""
        merge(index, folder)
        assert isinstance(index, SegmentedIndex)
        rows = np.sort(index.row_ids())[::3]
        state = index._state
        assert state.base is not None
        index.upsert(rows, state.base.vectors(state.base.positions(rows)))


def filled(
    plan: IndexPlan | None = None,
) -> tuple[SegmentedIndex, np.ndarray, np.ndarray]:
    """Return an index of rows 0 to 1999, all in the delta."""
    vectors_ND = random_units(COUNT, DIM)
    index = SegmentedIndex(DIM, plan_for=None if plan is None else lambda _: plan)
    index.upsert(np.arange(COUNT), vectors_ND)
    return index, np.arange(COUNT), vectors_ND


@pytest.mark.parametrize("kind", ["flat", "flat-int8", "flat-fp16"])
@pytest.mark.parametrize("deleted", [10, 1500])
def test_deleted_rows_are_never_found(tmp_path: Path, kind: str, deleted: int) -> None:
    """Few tombstones are skipped in the answer, many are hidden by a bitmap; k are found."""
    index, rows_N, vectors_ND = filled(IndexPlan(kind))  # type: ignore[arg-type]
    merge(index, tmp_path)
    query_D = random_units(1, DIM, seed=1)[0]
    gone_N = np.array(naive(query_D, rows_N, vectors_ND, COUNT)[:deleted])
    kept_N = np.setdiff1d(rows_N, gone_N)

    index.delete(gone_N)
    found = index.search(query_D[np.newaxis], count=50)[0]

    assert best(found, 50) == naive(query_D, kept_N, vectors_ND[kept_N], 50)
    assert index.count() == COUNT - deleted


def test_what_changes_during_a_merge_is_kept(tmp_path: Path) -> None:
    """Rows that are added, deleted or replaced between snapshot and swap end up as they are."""
    index, rows_N, vectors_ND = filled()
    path = tmp_path / "a.segment"
    index.snapshot(path)
    index.upsert(np.array([7000]), vectors_ND[:1])
    index.delete(np.array([5]))
    index.upsert(np.array([6]), -vectors_ND[6:7])

    index.adopt(path)

    assert sorted(index.row_ids().tolist()) == sorted([*np.delete(rows_N, 5), 7000])
    (found,) = index.search(-vectors_ND[6:7], count=1)
    assert best(found, 1) == [6]
    (found,) = index.search(vectors_ND[5:6], count=5)
    assert 5 not in found.row_ids_K
    sizes = index.sizes()
    assert (sizes.base, sizes.dead, sizes.delta) == (COUNT, 2, 2)


def test_a_merge_never_shows_a_gap(tmp_path: Path) -> None:
    """Searches that run through swap after swap see every row once, with its own score."""
    index, rows_N, vectors_ND = filled()
    failures: list[object] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            (found,) = index.search(vectors_ND[:1], count=COUNT)
            if sorted(found.row_ids_K.tolist()) != rows_N.tolist():
                failures.append(found)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for turn in range(12):
            merge(index, tmp_path)
            index.upsert(rows_N[turn::3], vectors_ND[turn::3])
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []


@pytest.mark.parametrize("damage", [b"", b"SIGHTSEG{}", b"x" * 9000])
def test_a_file_that_is_no_base_is_refused(tmp_path: Path, damage: bytes) -> None:
    """The index stays as it was."""
    index, *_ = filled()
    path = tmp_path / "bad.segment"
    path.write_bytes(damage)

    with pytest.raises(StorageError, match=r"bad\.segment"):
        index.adopt(path)
    with pytest.raises(StorageError, match=r"bad\.segment"):
        index.restore(path)
    assert index.count() == COUNT


def test_a_base_of_another_dimension_is_refused(tmp_path: Path) -> None:
    """The message names the dimension that was expected."""
    other = SegmentedIndex(8)
    other.upsert(np.arange(3), random_units(3, 8))
    other.snapshot(tmp_path / "other.segment")
    index, *_ = filled()

    with pytest.raises(StorageError, match="expected dim 32"):
        index.restore(tmp_path / "other.segment")


def test_an_empty_index_can_be_merged(tmp_path: Path) -> None:
    """No rows are a base of no rows."""
    index = SegmentedIndex(DIM)
    merge(index, tmp_path)

    assert index.search(random_units(1, DIM), count=3)[0].row_ids_K.tolist() == []
    index.upsert(np.array([4]), random_units(1, DIM))
    assert index.search(random_units(1, DIM), count=3)[0].row_ids_K.tolist() == [4]


def test_a_merge_is_wanted_when_the_delta_is_large() -> None:
    """Twenty thousand new rows, or a tenth of a large base."""
    index = SegmentedIndex(2)
    index.upsert(np.arange(19_999), np.tile(np.array([[1.0, 0.0]], np.float32), (19_999, 1)))
    assert not index.wants_merge()
    index.upsert(np.array([20_000]), np.array([[1.0, 0.0]], np.float32))
    assert index.wants_merge()
