"""Rules of training.data.file_digests: digests without reading what did not change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from core.errors import TrainingError
from core.pairs.image_file import FileSlice
from training.data.file_digests import UNREADABLE, FileDigests


def sha(data: bytes) -> str:
    """Return the hexadecimal sha256."""
    return hashlib.sha256(data).hexdigest()


def write(path: Path, data: bytes, *, time: int) -> Path:
    """Write a file that was changed at a time in seconds."""
    path.write_bytes(data)
    os.utime(path, (time, time))
    return path


def test_digests_are_those_of_the_contents(tmp_path: Path) -> None:
    """In the order asked, for files and for slices of containers."""
    one = write(tmp_path / "1.jpg", b"one", time=1)
    two = write(tmp_path / "2.jpg", b"two", time=1)
    tar = write(tmp_path / "x.tar", b"....three..", time=1)
    inside = FileSlice(container=tar, name="3.jpg", offset=4, length=5)

    digests = FileDigests(tmp_path / "ledger.sqlite").of([two, one, inside])

    assert digests == [sha(b"two"), sha(b"one"), sha(b"three")]


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    """Same size and time: the content that was put there behind its back is not seen."""
    file = write(tmp_path / "1.jpg", b"old", time=1)
    ledger = FileDigests(tmp_path / "ledger.sqlite")
    ledger.of([file])
    write(file, b"new", time=1)

    assert ledger.of([file]) == [sha(b"old")]


def test_a_changed_file_has_another_digest(tmp_path: Path) -> None:
    """Another time is enough, though the size is the same."""
    file = write(tmp_path / "1.jpg", b"old", time=1)
    ledger = FileDigests(tmp_path / "ledger.sqlite")
    ledger.of([file])
    write(file, b"new", time=2)

    assert ledger.of([file]) == [sha(b"new")]


def test_a_file_that_is_gone_keeps_its_digest_where_that_is_asked(tmp_path: Path) -> None:
    """What was computed from it is still right, but nothing more can be."""
    file = write(tmp_path / "1.jpg", b"old", time=1)
    ledger = FileDigests(tmp_path / "ledger.sqlite")
    ledger.of([file])
    file.unlink()

    assert ledger.of([file]) == [sha(b"old")]
    assert ledger.of([file], also_gone=False) == [UNREADABLE]
    assert ledger.of([file]) == [sha(b"old")]


def test_a_file_that_was_never_there_is_unreadable_until_it_is(tmp_path: Path) -> None:
    """Its absence is not remembered."""
    ledger = FileDigests(tmp_path / "ledger.sqlite", workers=2)

    assert ledger.of([tmp_path / "1.jpg"]) == [UNREADABLE]
    write(tmp_path / "1.jpg", b"late", time=1)
    assert ledger.of([tmp_path / "1.jpg"]) == [sha(b"late")]


def test_a_damaged_ledger_is_explained(tmp_path: Path) -> None:
    """It may be deleted."""
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database" * 100)

    with pytest.raises(TrainingError, match="delete the file"):
        FileDigests(tmp_path / "ledger.sqlite").of([])
