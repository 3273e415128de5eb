"""Rules of compacting: space comes back, nothing else changes, and one process writes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from core.errors import ConflictError, NotFoundError
from index.adding import NewImage
from index.collection import Collection
from index.compaction import compact, rebuild_index
from index.doctor import examine
from index.fields import IndexField
from index.filters import parse_filter
from index.gallery import Gallery
from index.schema import DATABASE_NAME
from index.snapshots import snapshot_folder
from tests.fakes import FakeEncoder, picture_bytes
from tests.index.builders import new_item, open_collection, random_units

COUNT = 600
DIM = 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a gallery of which nine items in ten were deleted."""
    vectors_ND = random_units(COUNT, DIM)
    with open_collection(tmp_path, dim=DIM) as collection:
        collection.write(IndexField("n"))
        collection.upsert(
            [
                new_item(f"i{n:03}", vectors_ND[n], metadata={"n": n}, caption=f"word{n}")
                for n in range(COUNT)
            ]
        )
        collection.snapshot()
        collection.delete([f"i{n:03}" for n in range(COUNT) if n % 10])
    return tmp_path


def answers(collection: Collection) -> list[object]:
    """Return what a collection answers to one of each kind of question."""
    query_D = random_units(COUNT, DIM)[7]
    return [
        collection.search(query_D, k=20).hits,
        collection.scroll(filter=parse_filter({"n": {"gte": 300}})).items,
        collection.count(),
        collection.index.row_ids().tolist(),
    ]


def test_space_comes_back_and_answers_stay(folder: Path) -> None:
    """The database shrinks to what it holds, its log is empty, row ids and hits are the same."""
    with open_collection(folder, dim=DIM, read_only=True) as collection:
        before = answers(collection)

    done = compact(folder)

    assert len(list(snapshot_folder(folder).iterdir())) == 1
    assert done.before.unused > 0
    assert done.after.unused == 0
    assert done.after.database < done.before.database / 2
    assert (done.log_emptied, done.after.log) == (True, 0)
    assert done.after.snapshots < done.before.snapshots
    with open_collection(folder, dim=DIM, read_only=True) as collection:
        assert answers(collection) == before


def test_row_ids_are_not_given_out_again(folder: Path) -> None:
    """Rewriting keeps the highest row id that ever was."""
    compact(folder)

    with open_collection(folder, dim=DIM) as collection:
        collection.upsert([new_item("new", random_units(1, DIM)[0])])
        assert collection.index.row_ids().max() == COUNT + 1


def test_a_gallery_without_snapshot_gets_none(tmp_path: Path) -> None:
    """A small index is filled from the record in no time: compacting does not make it larger."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("a")])

    done = compact(tmp_path)
    assert (done.before.snapshots, done.after.snapshots) == (0, 0)


def test_files_of_no_item_go(tmp_path: Path) -> None:
    """Strays are deleted and counted, kept pictures stay."""
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        gallery.add([NewImage(picture_bytes("red"), id="red")])
    (tmp_path / "images" / "stray").write_bytes(b"x")

    assert compact(tmp_path).files == 1
    with Gallery.open(tmp_path, FakeEncoder(), read_only=True) as gallery:
        assert gallery.image("red") == picture_bytes("red")
        assert examine(gallery.collection).faults == ()


def test_a_reader_goes_on_and_keeps_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open read transaction sees its state throughout; the log is emptied later, and said so."""
    monkeypatch.setattr("index.compaction._PATIENCE_MS", 10)
    with contextlib.closing(sqlite3.connect(folder / DATABASE_NAME)) as reader:
        reader.execute("BEGIN")
        count = reader.execute("SELECT count(*) FROM items").fetchone()

        assert compact(folder).log_emptied is False
        assert reader.execute("SELECT count(*) FROM items").fetchone() == count
        reader.execute("COMMIT")
    assert compact(folder).log_emptied is True


def test_beside_a_writer_it_is_refused(folder: Path) -> None:
    """The message names the process, and nothing was touched."""
    with (
        open_collection(folder, dim=DIM),
        pytest.raises(ConflictError, match="is being written by process"),
    ):
        compact(folder)


def test_there_must_be_a_gallery(tmp_path: Path) -> None:
    """A folder of something else is left alone."""
    with pytest.raises(NotFoundError):
        compact(tmp_path)


def test_an_index_is_rebuilt_from_the_record(folder: Path) -> None:
    """A snapshot that is whole but wrong does not find its way into the new one."""
    with open_collection(folder, dim=DIM) as collection:
        row_ids_N = collection.index.row_ids()
        collection.index.upsert(row_ids_N, random_units(len(row_ids_N), DIM, seed=9))
        collection.snapshot()
    with open_collection(folder, dim=DIM, read_only=True) as collection:
        assert len(examine(collection).names("index_differs")) == 1

    rebuild_index(folder)

    with open_collection(folder, dim=DIM, read_only=True) as collection:
        assert examine(collection).names("index_differs") == ()
