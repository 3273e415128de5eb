"""Rules of the database itself: how it is written, and that only one connection writes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.index.power import Disk
from tests.index.vfs import WatchedVFS
from tests.index.workload import Model, check_whole, execute, open_small

MODEL: Model = {f"{number:03}": number for number in range(50)}
PUT = {"put": [[name, version] for name, version in MODEL.items()]}


def copy_of_a_dead_gallery(folder: Path) -> Path:
    """Return a gallery as a killed writer leaves it: everything is in the log."""
    with open_small(folder / "live") as collection:
        execute(collection, PUT)
        shutil.copytree(folder / "live", folder / "dead")
    (folder / "dead" / "collection.sqlite3-shm").unlink()
    return folder / "dead"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("page_size", 8192)],
)
def test_the_writing_connection_is_set_up(tmp_path: Path, setting: str, value: object) -> None:
    """A write-ahead log that is synced at each commit (2 is FULL), pages of 8 KiB."""
    with open_small(tmp_path) as collection:
        assert collection._writer is not None
        found = collection._writer._connection.execute(f"PRAGMA {setting}").fetchone()

    assert found == (value,)


def test_row_ids_are_never_used_again(tmp_path: Path) -> None:
    """An index that was not told of a deletion can never take one item for another."""
    with open_small(tmp_path) as collection:
        execute(collection, PUT)
        execute(collection, {"drop": list(MODEL)})
        execute(collection, {"put": [["new", 1]]})
        assert collection.store.row_ids().tolist() == [len(MODEL) + 1]
    with open_small(tmp_path) as collection:
        execute(collection, {"drop": ["new"]})
        execute(collection, {"put": [["newer", 1]]})
        assert collection.store.row_ids().tolist() == [len(MODEL) + 2]


def test_readers_never_write_or_checkpoint(tmp_path: Path) -> None:
    """Even the last reader of a dead writer's gallery leaves the database and its log alone.

    SQLite before 3.51.3 may lose committed pages when two connections write and checkpoint at
    once; here one connection does either.
    """
    folder = copy_of_a_dead_gallery(tmp_path)
    before = (folder / "collection.sqlite3-wal").read_bytes()
    disk = Disk(folder)
    with WatchedVFS().installed(disk):
        for _ in range(2):
            with open_small(folder, read_only=True) as collection:
                check_whole(collection, MODEL, seed=0)

    assert [event for event in disk.events if event.kind != "create"] == []
    assert (folder / "collection.sqlite3-wal").read_bytes() == before
    with open_small(folder) as collection:
        check_whole(collection, MODEL, seed=0)


def test_closing_moves_the_log_into_the_database(tmp_path: Path) -> None:
    """A gallery that was closed is one file, which may be copied as it is."""
    with open_small(tmp_path / "one") as collection:
        execute(collection, PUT)
    (tmp_path / "two").mkdir()
    shutil.copy(tmp_path / "one" / "collection.sqlite3", tmp_path / "two")

    assert not (tmp_path / "one" / "collection.sqlite3-wal").exists()
    with open_small(tmp_path / "two") as collection:
        check_whole(collection, MODEL, seed=0)
