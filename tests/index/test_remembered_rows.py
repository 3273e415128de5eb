"""Rules of remembered filters: quick when asked again, never of another state of the store.

# N = rows
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.timing import RECORDER
from core.types import IdArray, JSONValue
from index.collection import Collection
from index.fields import IndexField
from index.filters import parse_filter
from index.remembered_rows import RememberedRows
from tests.index.builders import new_item, open_collection, unit

QUERY_D = unit(1, 1, 0, 0)


class Reads:
    """A source of rows that counts how often it is read."""

    def __init__(self, count: int = 3) -> None:
        """Have ``count`` rows."""
        self.count, self.times = count, 0

    def __call__(self) -> IdArray:
        """Return the rows."""
        self.times += 1
        return np.arange(self.count)


class Stages:
    """A recorder that keeps the names of stages."""

    def __init__(self) -> None:
        """Start empty."""
        self.seen: list[str] = []

    def stage_done(self, stage: str, begun_s: float, took_s: float) -> None:
        """Note a stage."""
        self.seen.append(stage)


def found(collection: Collection, filter: JSONValue) -> list[str]:
    """Return the ids that a search with the filter finds, in order of id."""
    result = collection.search(QUERY_D, k=10, filter=parse_filter(filter))
    return sorted(hit.id for hit in result.hits)


def reads_of(collection: Collection, filter: JSONValue) -> int:
    """Return how often a search with the filter reads rows from the database."""
    stages = Stages()
    token = RECORDER.set(stages)
    try:
        found(collection, filter)
    finally:
        RECORDER.reset(token)
    return stages.seen.count("filter")


def test_a_set_is_read_once() -> None:
    """The second time it comes from memory, and nobody can change it."""
    remembered, reads = RememberedRows(), Reads()
    first_N, again_N = remembered.get("a", reads), remembered.get("a", reads)

    assert (reads.times, again_N is first_N, again_N.flags.writeable) == (1, True, False)


def test_what_was_read_before_a_write_is_not_kept() -> None:
    """A write that ends while rows are read makes them outdated before they are stored."""
    remembered, reads = RememberedRows(), Reads()

    def read() -> IdArray:
        remembered.forget()
        return reads()

    remembered.get("a", read)
    remembered.get("a", reads)

    assert reads.times == 2
    assert len(remembered) == 1


def test_memory_is_bounded() -> None:
    """The set that was not used for longest makes room; one that is too large is not kept."""
    remembered = RememberedRows(most_bytes=2 * (800 + 513))
    reads = {name: Reads(100) for name in "abc"}
    for name in "abacab":
        remembered.get(name, reads[name])
    huge = Reads(1000)
    remembered.get("huge", huge)
    remembered.get("huge", huge)

    assert [reads[name].times for name in "abc"] == [1, 2, 1]
    assert huge.times == 2
    assert len(remembered) == 2


def test_a_filter_that_is_asked_again_costs_no_sql(tmp_path: Path) -> None:
    """One read for two searches; another filter reads for itself."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a", metadata={"n": 1}), new_item("b", metadata={"n": 2})])

        assert reads_of(collection, {"n": 1}) == 1
        assert reads_of(collection, {"n": 1}) == 0
        assert reads_of(collection, {"n": 2}) == 1


def test_true_and_one_are_different_filters(tmp_path: Path) -> None:
    """Python takes them for equal, JSON does not."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("t", metadata={"n": True}), new_item("o", metadata={"n": 1})])

        assert [found(collection, {"n": value}) for value in (True, 1, True, 1.0)] == [
            *(["t"], ["o"], ["t"], ["o"])
        ]


@pytest.mark.parametrize("indexed", [False, True])
def test_every_write_is_seen_at_once(tmp_path: Path, *, indexed: bool) -> None:
    """Adding, changing metadata, replacing and deleting, each right before the same search."""
    with open_collection(tmp_path) as collection:
        if indexed:
            collection.write(IndexField("n"))
        collection.upsert([new_item("a", metadata={"n": 1}), new_item("b", metadata={"n": 2})])
        assert found(collection, {"n": 1}) == ["a"]

        collection.upsert([new_item("c", metadata={"n": 1})])
        assert found(collection, {"n": 1}) == ["a", "c"]
        collection.update("b", metadata={"n": 1})
        assert found(collection, {"n": 1}) == ["a", "b", "c"]
        collection.upsert([new_item("c", unit(0, 1, 0, 0), metadata={"n": 3})])
        assert found(collection, {"n": 1}) == ["a", "b"]
        collection.delete(["a"])
        assert found(collection, {"n": 1}) == ["b"]
        assert found(collection, {"not": {"n": 1}}) == ["c"]


def test_a_reader_sees_what_another_process_writes(tmp_path: Path) -> None:
    """A collection that is opened for reading follows its writer, with filters too."""
    with open_collection(tmp_path) as writer:
        writer.upsert([new_item("a", metadata={"n": 1})])
        with open_collection(tmp_path, read_only=True) as reader:
            assert found(reader, {"n": 1}) == found(reader, {"n": 1}) == ["a"]
            writer.upsert([new_item("b", metadata={"n": 1})])
            assert found(reader, {"n": 1}) == ["a", "b"]
            writer.update("a", metadata={})
            assert found(reader, {"n": 1}) == ["b"]
