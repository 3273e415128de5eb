"""What a collection tells its observer: commits, refused writes, merges."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import NotFoundError, StorageError
from index.changes import Outcome
from index.collection import Collection
from index.faults import watching
from index.items import NewItem


class Kept:
    """Keeps what it is told."""

    def __init__(self) -> None:
        """Start empty."""
        self.told: list[str] = []

    def committed(self, *, changes: int, took_s: float) -> None:
        """Keep it."""
        assert took_s >= 0
        self.told.append(f"committed {changes}")

    def write_failed(self) -> None:
        """Keep it."""
        self.told.append("write failed")

    def merged(self, *, took_s: float) -> None:
        """Keep it."""
        assert took_s >= 0
        self.told.append("merged")

    def merge_failed(self) -> None:
        """Keep it."""
        self.told.append("merge failed")


@pytest.fixture
def kept() -> Kept:
    """Return an observer."""
    return Kept()


@pytest.fixture
def collection(tmp_path: Path, kept: Kept) -> Iterator[Collection]:
    """Return an empty collection that tells ``kept``."""
    opened = Collection.open(tmp_path / "gallery", encoder_id="0" * 16, dim=2, observer=kept)
    with opened:
        yield opened


def item(name: str) -> NewItem:
    """Return an item with a unit vector."""
    return NewItem(name, np.array([1.0, 0.0], np.float32), "0" * 64)


def test_a_commit_is_told_before_it_is_acknowledged(collection: Collection, kept: Kept) -> None:
    """One change of two items is one change."""
    collection.upsert([item("a"), item("b")])

    assert kept.told == ["committed 1"]


def test_what_a_change_refuses_by_itself_is_no_failed_write(
    collection: Collection, kept: Kept
) -> None:
    """A missing item is the mistake of who asked."""
    with pytest.raises(NotFoundError):
        collection.update("nobody", caption="x")

    assert kept.told == []


def test_a_write_that_the_database_refuses_is_told(collection: Collection, kept: Kept) -> None:
    """Whoever asked gets the error, and the operator the count."""

    def full(connection: sqlite3.Connection) -> Outcome[None]:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StorageError):
        collection.write(full)

    assert kept.told == ["write failed"]


def test_merges_are_told_however_they_end(collection: Collection, kept: Kept) -> None:
    """The first comes to nothing, the second is a new base."""

    def fail(point: str) -> None:
        if point == "snapshot:half":
            raise StorageError("no room")

    collection.upsert([item("a")])
    with watching(fail), pytest.raises(StorageError, match="no room"):
        collection.snapshot()
    collection.snapshot()

    assert [told for told in kept.told if "merge" in told] == ["merge failed", "merged"]
    assert collection.generation > 0


def test_nothing_waits_when_all_writes_are_acknowledged(collection: Collection) -> None:
    """The queue is empty again, and is empty for who only reads."""
    collection.upsert([item("a")])

    assert collection.writes_waiting == 0
    with Collection.open(collection.folder, encoder_id="0" * 16, dim=2, read_only=True) as reader:
        assert reader.writes_waiting == 0
