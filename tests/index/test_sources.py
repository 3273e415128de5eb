"""Rules of where pictures come from: what stands for them, and when they are gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import ImageTooLargeError
from core.pairs.image_file import FileSlice
from encoders.decoding import DecodeLimits
from index.sources import (
    RemoteImage,
    absolute_path,
    is_gone,
    is_storable,
    read_picture,
    source_of,
    stamp_of,
)


def test_files_places_and_addresses_have_a_text_that_stands_for_them(tmp_path: Path) -> None:
    """Absolute where there is a path; each can be read and looked at."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"0123456789")
    inside = FileSlice(path, "x/1.png", 2, 3)
    remote = RemoteImage("http://a.example/b/c.png?d=e", lambda url: url.encode())

    assert source_of(Path(os.path.relpath(path))) == str(path)
    assert source_of(inside) == f"{path}!x/1.png"
    assert (source_of(remote), remote.name, str(remote)) == (remote.url, "c.png", remote.url)
    limits = DecodeLimits()
    assert [read_picture(picture, limits) for picture in (path, inside, remote)] == [
        b"0123456789",
        b"234",
        remote.url.encode(),
    ]
    assert (stamp_of(path).size, stamp_of(inside).size) == (10, 3)
    assert stamp_of(path).mtime_ns == stamp_of(inside).mtime_ns == path.stat().st_mtime_ns
    assert stamp_of(remote) == stamp_of(remote)
    with pytest.raises(ImageTooLargeError):
        read_picture(path, DecodeLimits(max_bytes=9))


def test_a_path_has_one_spelling(tmp_path: Path) -> None:
    """Detours are taken out where they lead, which behind a link is elsewhere."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")

    assert absolute_path(tmp_path / "a" / ".." / "x.png") == tmp_path / "x.png"
    assert absolute_path(tmp_path / "link" / ".." / "x.png") == tmp_path / "a" / "x.png"
    assert absolute_path(tmp_path / "link" / "..") == tmp_path / "a"
    assert absolute_path(tmp_path / "link" / "x.png") == tmp_path / "link" / "x.png"
    assert absolute_path(Path("x.png")) == Path.cwd() / "x.png"


def test_a_source_is_gone_when_no_file_is_behind_it(tmp_path: Path) -> None:
    """An address never is; a place inside a container is with its container."""
    path = tmp_path / "odd!name.tar"
    path.write_bytes(b"")

    assert not is_gone(str(path))
    assert not is_gone(f"{path}!1!2.png")
    assert not is_gone("https://a.example/x.png")
    path.unlink()
    assert is_gone(str(path))
    assert is_gone(f"{path}!1!2.png")


def test_names_that_are_not_utf_8_cannot_be_stored() -> None:
    """Python shows such bytes as halves of surrogate pairs."""
    assert is_storable("\u00fc/\U0001f600.png")
    assert not is_storable("odd\udcff.png")
