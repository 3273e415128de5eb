"""Rules of pictures in files and in containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import NotFoundError
from core.pairs.image_file import FileSlice, image_stamp


def test_the_stamp_of_a_file_is_its_size(tmp_path: Path) -> None:
    """A missing file has one too, so that it changes a fingerprint."""
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")

    assert image_stamp(path) == 5
    assert image_stamp(tmp_path / "gone.png") == -1
    assert image_stamp(FileSlice(path, "x.png", 1, 3)) == 3


def test_a_slice_is_its_bytes(tmp_path: Path) -> None:
    """From the first to the last, and it says where it lies."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"0123456789")
    picture = FileSlice(path, "x.png", 3, 4)

    assert picture.read() == b"3456"
    assert picture.size_bytes() == 4
    assert str(picture) == f"{path}!x.png"


@pytest.mark.parametrize("length", [8, 100])
def test_a_slice_beyond_the_end_is_an_error(tmp_path: Path, length: int) -> None:
    """Half a picture is none."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"0123456789")

    with pytest.raises(NotFoundError, match=r"a\.tar ends before it does"):
        FileSlice(path, "x.png", 3, length).read()
