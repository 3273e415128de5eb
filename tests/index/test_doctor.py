"""Rules of the doctor: it finds each planted fault, names it, and ``mend`` mends what it says."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from encoders.encoder import Encoder
from index.adding import NewImage
from index.checkup import Checkup, FaultKind
from index.collection import Collection
from index.doctor import examine
from index.failures import Failure, RecordFailures
from index.fields import IndexField
from index.gallery import Gallery
from index.items import FileStamp, NewItem
from index.mending import mend
from index.query import Query, parse_query
from index.schema import DATABASE_NAME
from index.snapshots import snapshot_folder
from tests.fakes import FakeEncoder, picture_bytes
from tests.index.writing import ROOT, WRITER

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a healthy gallery: three kept pictures, one read from its file, and a snapshot."""
    source = tmp_path / "yellow.png"
    source.write_bytes(picture_bytes("yellow"))
    folder = tmp_path / "g"
    with Gallery.open(folder, FakeEncoder()) as gallery:
        gallery.add(
            [
                NewImage(
                    picture_bytes(name),
                    id=name,
                    caption=f"a {name} thing",
                    metadata={"n": 1},
                    source=str(source) if name == "yellow" else None,
                )
                for name in COLOURS
            ]
        )
        gallery.collection.write(IndexField("n"))
        gallery.collection.snapshot()
    return folder


def checkup(folder: Path, encoder: Encoder | None = None) -> Checkup:
    """Examine the gallery as a reader."""
    with Collection.open(
        folder, encoder_id=FakeEncoder().encoder_id, dim=FakeEncoder.dim, read_only=True
    ) as collection:
        return examine(collection, encoder=encoder or FakeEncoder())


def mended(folder: Path) -> Checkup:
    """Mend what the examination finds, and examine again."""
    mend(folder, FakeEncoder(), checkup(folder))
    return checkup(folder)


def execute(folder: Path, sql: str) -> None:
    """Change the database behind the gallery's back."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        connection.execute(sql)
        connection.commit()


def test_a_healthy_gallery_has_no_faults(folder: Path) -> None:
    """Everything is looked at and in order."""
    found = checkup(folder)

    assert found.faults == ()
    assert [check.name for check in found.checks] == [
        "database",
        "vectors",
        "model",
        "metadata",
        "index",
        "pictures",
        "snapshots",
    ]
    assert (found.items, found.coverage.seen, found.coverage.embedded) == (4, 4, 4)
    assert found.disk.database > 0
    assert found.disk.images == sum(len(picture_bytes(name)) for name in COLOURS[:3])
    assert found.disk.total > found.disk.database + found.disk.images


def test_an_empty_gallery_is_healthy(tmp_path: Path) -> None:
    """No division by nothing."""
    Gallery.open(tmp_path, FakeEncoder()).close()

    assert checkup(tmp_path).faults == ()


def test_files_that_failed_are_counted_by_reason(folder: Path) -> None:
    """They are part of what was seen, but no fault of the gallery."""
    stamp = FileStamp("/x.png", 1, 1)
    with Gallery.open(folder, FakeEncoder()) as gallery:
        failure = Failure(stamp, "image_undecodable", "broken", lasting=True)
        gallery.collection.write(RecordFailures([failure]))

    found = checkup(folder)
    assert found.coverage.seen == 5
    assert found.coverage.failed == {"image_undecodable": 1}
    assert found.faults == ()


def flip_vector(folder: Path) -> None:
    """Damage the stored vector of ``red``."""
    execute(
        folder,
        "UPDATE vectors SET vector = zeroblob(32) WHERE row_id = "
        "(SELECT row_id FROM items WHERE id = 'red')",
    )


def lose_vector(folder: Path) -> None:
    """Delete the stored vector of ``yellow``, whose picture lies outside the gallery."""
    execute(
        folder,
        "DELETE FROM vectors WHERE row_id = (SELECT row_id FROM items WHERE id = 'yellow')",
    )


def orphan_vector(folder: Path) -> None:
    """Store a vector of no item."""
    execute(folder, "INSERT INTO vectors VALUES (77, zeroblob(32), 0)")


def lose_words(folder: Path) -> None:
    """Delete the words of ``blue``."""
    execute(
        folder,
        "DELETE FROM texts WHERE rowid = (SELECT row_id FROM items WHERE id = 'blue')",
    )


def change_field(folder: Path) -> None:
    """Change a value in the table of the field ``n``."""
    execute(folder, "UPDATE field_1 SET value = 5 WHERE kind = 'number'")


def leave_stray(folder: Path) -> None:
    """Leave a picture and half a thumbnail of no item, of yesterday."""
    (folder / "images" / "ab").mkdir()
    for path in (folder / "images" / "ab" / ("ab" * 32), folder / "thumbnails" / "half.tmp"):
        path.write_bytes(b"x")
        yesterday = path.stat().st_mtime - 86_400
        os.utime(path, (yesterday, yesterday))


def flip_snapshot(folder: Path) -> None:
    """Flip one byte of the snapshot."""
    (path,) = snapshot_folder(folder).iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def lose_snapshot(folder: Path) -> None:
    """Delete the snapshot."""
    for path in snapshot_folder(folder).iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("plant", "kind", "names"),
    [
        (flip_vector, "vector_damaged", ("red",)),
        (lose_vector, "vector_damaged", ("yellow",)),
        (orphan_vector, "vector_orphan", ("77",)),
        (lose_words, "words_differ", ("blue",)),
        (change_field, "field_differs", ("n",)),
        (leave_stray, "file_orphan", ("ab" * 32, "half.tmp")),
        (flip_snapshot, "snapshot_damaged", None),
        (lose_snapshot, "snapshot_damaged", None),
    ],
)
def test_a_planted_fault_is_found_and_mended(
    folder: Path,
    plant: Callable[[Path], None],
    kind: FaultKind,
    names: tuple[str, ...] | None,
) -> None:
    """It is the only one that is found, its names are right, and mending leaves none."""
    plant(folder)

    (fault,) = checkup(folder).faults
    assert fault.kind == kind
    assert fault.remedy == "--fix"
    assert names in {fault.names, None}
    assert mended(folder).faults == ()


def test_a_file_that_has_just_come_is_no_fault_yet(folder: Path) -> None:
    """Pictures are kept before their items are stored; deleting strays alone takes it, though."""
    (folder / "images" / "new").write_bytes(b"x")

    assert checkup(folder).faults == ()
    with Gallery.open(folder, FakeEncoder()) as gallery:
        assert [path.name for path in gallery.drop_strays()] == ["new"]


@pytest.mark.slow
def test_a_gallery_that_a_process_is_writing_is_healthy(tmp_path: Path) -> None:
    """Items and files that come and go during the examination raise no false alarm."""
    folder = tmp_path / "g"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(10):
            process.stdout.readline()
            assert checkup(folder).faults == ()
        process.kill()


def test_a_gallery_emptied_since_it_was_opened_is_healthy(folder: Path) -> None:
    """Its reader's index follows the record before the two are compared, without any search."""
    encoder = FakeEncoder()
    with Collection.open(
        folder, encoder_id=encoder.encoder_id, dim=encoder.dim, read_only=True
    ) as reader:
        with Gallery.open(folder, encoder) as gallery:
            gallery.delete(list(COLOURS))
        assert reader.count() == 0

        assert examine(reader).faults == ()


def test_a_mended_vector_is_found_again(folder: Path) -> None:
    """It is made from the picture, and caption and metadata stay."""
    flip_vector(folder)
    mended(folder)

    with Gallery.open(folder, FakeEncoder()) as gallery:
        assert gallery.search(Query(parse_query("red"), k=1)).hits[0].id == "red"
        item = gallery.item("red")
        assert (item.caption, item.metadata) == ("a red thing", {"n": 1})


def test_a_damaged_vector_without_its_picture_stays_quarantined(folder: Path) -> None:
    """What cannot be mended is left and still reported, with the picture that is missing."""
    lose_vector(folder)
    (folder.parent / "yellow.png").unlink()

    assert {fault.kind for fault in mended(folder).faults} == {"vector_damaged", "picture_gone"}
    assert mended(folder).names("picture_gone") == ("yellow",)


def test_a_picture_that_is_gone_is_named(folder: Path) -> None:
    """Mending never deletes an item."""
    (folder.parent / "yellow.png").unlink()

    left = mended(folder)
    assert left.names("picture_gone") == ("yellow",)
    assert left.items == 4


def test_another_model_is_a_fault(folder: Path) -> None:
    """The ids differ: the vectors cannot be compared with what the model makes."""
    (fault,) = checkup(folder, FakeEncoder("0000000000000002")).faults

    assert fault.kind == "encoder_differs"
    assert "0000000000000002" in fault.text


def test_vectors_that_the_model_does_not_make_are_stale(folder: Path) -> None:
    """A whole vector of unit length that belongs to another picture is noticed."""
    with Gallery.open(folder, FakeEncoder()) as gallery:
        blue = gallery.item("blue")
        (yellow_D,) = gallery.collection.vectors(["yellow"])
        gallery.collection.upsert([NewItem("blue", yellow_D, blue.digest, caption="not blue")])

    assert checkup(folder).names("vector_stale") == ("blue",)


def test_an_index_that_lost_rows_is_noticed(folder: Path) -> None:
    """Rows that the index lacks, and the hits that it misses, are drift."""
    with Gallery.open(folder, FakeEncoder()) as gallery:
        gallery.collection.index.delete(np.array([2], np.int64))
        found = examine(gallery.collection)

    (fault,) = found.faults
    assert fault.kind == "index_differs"
    assert fault.names == ("1 rows differ from the record", "finds 0.750 of the true top 10")


def test_a_damaged_database_is_named(folder: Path) -> None:
    """An index of SQLite that does not fit its table cannot be mended here."""
    execute(folder, "PRAGMA writable_schema = 1")
    with contextlib.closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX items_by_digest ON items (caption)' "
            "WHERE name = 'items_by_digest'"
        )
        connection.commit()

    faults = checkup(folder).faults
    assert faults[0].kind == "database"
    assert faults[0].remedy == "restore a backup"
