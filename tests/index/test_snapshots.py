"""Rules of snapshots: a help at start-up, never the truth, never read unless verified."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StorageError
from index.collection import Collection
from index.segmented_index import SegmentedIndex
from tests.index.builders import DIM, new_item, open_collection, unit


def files_of(folder: Path) -> list[Path]:
    """Return the snapshot files, oldest first."""
    return sorted((folder / "snapshots").iterdir())


def hits_of(collection: Collection) -> list[str]:
    """Search along the first axis."""
    return [hit.id for hit in collection.search(unit(1, 0, 0, 0), k=100).hits]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the list of files that are opened as the base of an index at the start."""
    paths: list[Path] = []
    restore = SegmentedIndex.restore

    def recording(self: SegmentedIndex, path: Path) -> None:
        paths.append(path)
        restore(self, path)

    monkeypatch.setattr(SegmentedIndex, "restore", recording)
    return paths


def make(folder: Path, *, snapshots: int = 1) -> None:
    """Make a collection of three items and take snapshots of it."""
    with open_collection(folder) as collection:
        collection.upsert([new_item("a"), new_item("b", unit(1, 1, 0, 0)), new_item("c")])
        for _ in range(snapshots):
            collection.snapshot()


def test_the_start_uses_a_verified_snapshot_and_the_tail(
    tmp_path: Path, parsed: list[Path]
) -> None:
    """What was added, replaced and deleted after the snapshot is applied over it."""
    make(tmp_path)
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("d"), new_item("a", unit(0, 1, 0, 0), digest="2")])
        collection.delete(["c"])
    parsed.clear()

    with open_collection(tmp_path) as collection:
        assert hits_of(collection) == ["d", "b", "a"]
        assert collection.search(unit(0, 1, 0, 0), k=1).hits[0].id == "a"
    assert parsed == files_of(tmp_path)


def test_no_bit_flip_is_ever_parsed(tmp_path: Path, parsed: list[Path]) -> None:
    """One flipped bit at any offset, and any truncation: refused unread, rebuilt, served."""
    make(tmp_path)
    (snapshot,) = files_of(tmp_path)
    good = snapshot.read_bytes()
    offsets = range(0, len(good), max(1, len(good) // 40))
    damaged = [good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :] for at in offsets]
    damaged += [b"", good[:1], good[: len(good) // 2], good[:-1], good + b"x"]

    for data in damaged:
        snapshot.write_bytes(data)
        with open_collection(tmp_path, read_only=True) as collection:
            assert hits_of(collection) == ["a", "c", "b"]
    assert parsed == []

    snapshot.write_bytes(good)
    open_collection(tmp_path, read_only=True).close()
    assert parsed == [snapshot]


def test_an_older_snapshot_serves_where_the_newest_is_damaged(
    tmp_path: Path, parsed: list[Path]
) -> None:
    """Two generations are kept, so one bad file costs little."""
    make(tmp_path, snapshots=3)
    older, newest = files_of(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-1])

    with open_collection(tmp_path) as collection:
        assert hits_of(collection) == ["a", "c", "b"]
    assert parsed == [older]


def test_a_missing_snapshot_is_no_loss(tmp_path: Path, parsed: list[Path]) -> None:
    """The index is filled from the store."""
    make(tmp_path)
    files_of(tmp_path)[0].unlink()

    with open_collection(tmp_path) as collection:
        assert hits_of(collection) == ["a", "c", "b"]
    assert parsed == []


def test_unknown_files_are_swept_and_never_parsed(tmp_path: Path, parsed: list[Path]) -> None:
    """A snapshot without its row (a crash before the row) is removed at the next start."""
    make(tmp_path)
    known = files_of(tmp_path)
    (tmp_path / "snapshots" / "index-99.segment").write_bytes(known[0].read_bytes())
    (tmp_path / "snapshots" / ".index-1.segment.tmp").write_bytes(b"half")

    open_collection(tmp_path, read_only=True).close()
    assert len(files_of(tmp_path)) == 3
    open_collection(tmp_path).close()

    assert files_of(tmp_path) == known
    assert parsed == known * 2


@pytest.mark.parametrize(
    "change", ["SET encoder_id = 'other'", "SET faiss_version = '0.0'", "SET sha256 = '0'"]
)
def test_a_snapshot_of_another_make_is_not_used(
    tmp_path: Path, parsed: list[Path], change: str
) -> None:
    """Encoder, FAISS release and digest must be the ones on record."""
    make(tmp_path)
    with closing(sqlite3.connect(tmp_path / "collection.sqlite3")) as connection, connection:
        connection.execute(f"UPDATE snapshots {change}")

    with open_collection(tmp_path) as collection:
        assert hits_of(collection) == ["a", "c", "b"]
    assert parsed == []


def test_a_verified_file_that_faiss_refuses_is_rebuilt(tmp_path: Path) -> None:
    """Even a file with the right digest is only a help: here one of another dimension."""
    make(tmp_path)
    (snapshot,) = files_of(tmp_path)
    other = SegmentedIndex(DIM * 2)
    other.snapshot(snapshot)
    from core.artifacts import sha256_file

    with closing(sqlite3.connect(tmp_path / "collection.sqlite3")) as connection, connection:
        connection.execute(
            "UPDATE snapshots SET sha256 = ?, bytes = ?",
            (sha256_file(snapshot), snapshot.stat().st_size),
        )
    with open_collection(tmp_path) as collection:
        assert hits_of(collection) == ["a", "c", "b"]


def test_a_snapshot_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    """The error is told, the older snapshot and the collection stay."""
    make(tmp_path)
    before = files_of(tmp_path)
    with open_collection(tmp_path) as collection:
        collection._live.index.snapshot = _fail  # type: ignore[method-assign] - the fault
        with pytest.raises(StorageError, match="No space"):
            collection.snapshot()
        assert hits_of(collection) == ["a", "c", "b"]
    assert files_of(tmp_path) == before


def _fail(path: Path) -> None:
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")
