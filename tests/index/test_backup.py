"""Rules of backups: one state of the gallery, verified, whole or refused, while others write."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ArtifactError, IntegrityError, NotFoundError, StorageError
from index.adding import NewImage
from index.backup import write_backup
from index.backup_reading import restore_backup, verify_backup
from index.doctor import examine
from index.gallery import Gallery
from index.query import Query, parse_query
from index.schema import DATABASE_NAME
from tests.fakes import FakeEncoder, picture_bytes
from tests.index.writing import ROOT, WRITER

COLOURS = ("red", "green", "blue")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a gallery of three kept pictures with a label set and a snapshot."""
    folder = tmp_path / "g"
    with Gallery.open(folder, FakeEncoder(), model="some/model") as gallery:
        gallery.add([NewImage(picture_bytes(name), id=name, metadata={"n": 1}) for name in COLOURS])
        gallery.collection.snapshot()
    labels = folder / "label-sets" / "pets" / "1"
    labels.mkdir(parents=True)
    (labels / "labels.json").write_text("{}")
    head = labels.parent / "heads" / "1-fa4e" / "1"
    head.mkdir(parents=True)
    (head / "arrays.npz").write_bytes(b"npz")
    (labels.parent / ".fitting.lock").write_text("1")
    return folder


def test_a_restored_gallery_is_the_one_that_was_saved(folder: Path, tmp_path: Path) -> None:
    """Items, pictures, thumbnails, labels and model come back, and nothing is wrong with them."""
    summary = write_backup(folder, tmp_path / "b.tar")
    manifest = restore_backup(tmp_path / "b.tar", tmp_path / "back")

    assert (summary.items, summary.pictures, summary.missing) == (3, 3, ())
    assert summary.bytes == (tmp_path / "b.tar").stat().st_size
    assert (manifest["model"], manifest["encoder_id"]) == ("some/model", FakeEncoder().encoder_id)
    assert (tmp_path / "back" / "label-sets" / "pets" / "1" / "labels.json").read_text() == "{}"
    head = tmp_path / "back" / "label-sets" / "pets" / "heads" / "1-fa4e" / "1"
    assert (head / "arrays.npz").read_bytes() == b"npz"
    assert not (tmp_path / "back" / "label-sets" / "pets" / ".fitting.lock").exists()
    with Gallery.open(tmp_path / "back", FakeEncoder(), read_only=True) as gallery:
        assert examine(gallery.collection).faults == ()
        assert gallery.collection.binding.model == "some/model"
        for name in COLOURS:
            assert gallery.image(name) == picture_bytes(name)
            assert (tmp_path / "back" / "thumbnails").exists()
            assert gallery.search(Query(parse_query(name), k=1)).hits[0].id == name
            assert gallery.item(name).metadata == {"n": 1}


def test_a_kept_picture_that_is_missing_or_damaged_is_named(folder: Path, tmp_path: Path) -> None:
    """The rest is saved; a picture that is not the one that was added is none."""
    pictures = sorted((folder / "images").glob("*/*"))
    pictures[0].unlink()
    pictures[1].write_bytes(b"something else")

    summary = write_backup(folder, tmp_path / "b.tar")

    assert len(summary.missing) == 2
    assert summary.pictures == 1
    assert verify_backup(tmp_path / "b.tar")["missing"] == list(summary.missing)


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    """Neither a file by a backup nor a folder by a restore."""
    write_backup(folder, tmp_path / "b.tar")

    with pytest.raises(ArtifactError, match="exists already"):
        write_backup(folder, tmp_path / "b.tar")
    with pytest.raises(ArtifactError, match="restore to a new folder"):
        restore_backup(tmp_path / "b.tar", folder)
    with pytest.raises(NotFoundError, match="is not a gallery"):
        write_backup(tmp_path / "nothing", tmp_path / "c.tar")


def test_a_damaged_database_is_not_saved(folder: Path, tmp_path: Path) -> None:
    """A backup that cannot be restored is none; nothing is left behind."""
    path = folder / DATABASE_NAME
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 8192):
        data[page * 8192 : page * 8192 + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))

    with pytest.raises(StorageError, match=r"damaged|malformed"):
        write_backup(folder, tmp_path / "b.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def flip(data: bytes) -> bytes:
    """Flip one bit in the middle of the first picture."""
    place = data.index(b"IHDR")
    return data[:place] + b"x" + data[place + 1 :]


def cut(data: bytes) -> bytes:
    """Cut the second half off."""
    return data[: len(data) // 2]


@pytest.mark.parametrize("harm", [flip, cut])
def test_a_damaged_backup_restores_nothing(
    folder: Path, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    """A flipped bit or a cut file is an error, and no folder appears."""
    path = tmp_path / "b.tar"
    write_backup(folder, path)
    path.write_bytes(harm(path.read_bytes()))

    with pytest.raises(IntegrityError):
        verify_backup(path)
    with pytest.raises(IntegrityError):
        restore_backup(path, tmp_path / "back")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["b.tar", "g"]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "images/../../evil", "other.txt"])
def test_a_file_that_does_not_belong_is_never_written(tmp_path: Path, name: str) -> None:
    """A tar is no license to write anywhere, whatever its manifest says."""
    manifest = {"kind": "gallery-backup", "format_version": 1, "files": {name: "0" * 64}}
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for member, data in ((name, b"x"), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

    with pytest.raises(IntegrityError, match="does not belong"):
        restore_backup(tmp_path / "b.tar", tmp_path / "deep" / "back")
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == []


def test_something_else_is_no_backup(tmp_path: Path) -> None:
    """Neither a missing file nor a tar of another kind."""
    with pytest.raises(ArtifactError, match="does not exist"):
        verify_backup(tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", "w"):
        pass
    with pytest.raises(IntegrityError, match="no whole backup"):
        verify_backup(tmp_path / "b.tar")


def all_ids(gallery: Gallery) -> set[str]:
    """Return the ids of all items, however many the writer has added by now."""
    page = gallery.collection.scroll(limit=1000)
    found = {item.id for item in page.items}
    while page.cursor is not None:
        page = gallery.collection.scroll(limit=1000, cursor=page.cursor)
        found |= {item.id for item in page.items}
    return found


@pytest.mark.slow
def test_a_backup_beside_a_writing_process_is_one_state(tmp_path: Path) -> None:
    """What was acknowledged before is in it, every item has its picture, nothing is wrong."""
    folder = tmp_path / "g"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for turn in range(3):
            last = -1
            while last < 50 * (turn + 1):
                last = int(process.stdout.readline().split()[1])
            write_backup(folder, tmp_path / f"{turn}.tar")
            restore_backup(tmp_path / f"{turn}.tar", tmp_path / str(turn))
            with Gallery.open(tmp_path / str(turn), FakeEncoder(), read_only=True) as gallery:
                assert examine(gallery.collection, encoder=FakeEncoder()).faults == ()
                names = all_ids(gallery)
                assert f"n{last}" in names
                assert not {f"n{n // 2}" for n in range(0, last, 3)} & names
                for name in names:
                    assert gallery.image(name)
        process.kill()
