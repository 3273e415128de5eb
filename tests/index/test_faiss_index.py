"""Rules of the flat index beyond the contract of every backend."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageError
from index.faiss_index import FaissIndex
from index.scoring import exact_scores, row_scores, score_error
from tests.index.builders import random_units
from tests.index.index_contract import COUNT, DIM, IndexContract


class TestFaissIndex(IndexContract):
    """One matrix in memory."""

    def make(self, dim: int) -> FaissIndex:
        """Return an empty flat index."""
        return FaissIndex(dim)


def test_scores_are_within_the_bound_of_any_float32_product() -> None:
    """The margin at the cut covers what FAISS' own arithmetic may be off by."""
    vectors_ND = random_units(5000, 512, seed=6)
    query_D = random_units(1, 512, seed=7)[0]

    scores_N = exact_scores(query_D, np.arange(5000), lambda keys: vectors_ND[keys])

    assert np.abs(scores_N - vectors_ND @ query_D).max() < score_error(512)
    assert np.array_equal(scores_N, row_scores(query_D, vectors_ND))


@pytest.mark.slow
def test_restoring_again_and_again_keeps_memory_sound(tmp_path: Path) -> None:
    """Taking a matrix over from FAISS' reader once broke its types at the next collection."""
    index, *_ = TestFaissIndex().filled(tmp_path)
    for _ in range(20):
        index.snapshot(tmp_path / "a.faiss")
        index.restore(tmp_path / "a.faiss")
        gc.collect()

    index.upsert(np.array([1]), random_units(1, DIM))
    index.delete(np.array([1]))
    assert index.count() == COUNT


def test_a_snapshot_of_another_dimension_is_refused(tmp_path: Path) -> None:
    """A file that does not fit leaves the index as it was."""
    small = FaissIndex(8)
    small.upsert(np.array([1]), random_units(1, 8))
    small.snapshot(tmp_path / "small.faiss")
    index, *_ = TestFaissIndex().filled(tmp_path)

    with pytest.raises(StorageError, match="another kind"):
        index.restore(tmp_path / "small.faiss")
    with pytest.raises(StorageError, match="cannot be written"):
        index.snapshot(tmp_path / "missing" / "a.faiss")
    assert index.count() == COUNT
