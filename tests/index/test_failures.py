"""Rules of failed files: recorded with their reason, not read again in vain, retried on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import NotFoundError
from index.failures import (
    Failure,
    RecordFailures,
    count_failures,
    failures_of,
    latest_failures,
    recorded_failures,
)
from index.gallery import Gallery
from index.ingest import ImageFile, add_files
from index.items import FileStamp
from index.known import split_known
from tests.fakes import FakeEncoder, picture_bytes

CORRUPT = b"\xff\xd8\xff" + b"x" * 50


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield an empty gallery."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        yield opened


def add(gallery: Gallery, *files: ImageFile, retry_failed: bool = False) -> list[str]:
    """Add files and return their statuses."""
    return [
        str(added.result.status) for added in add_files(gallery, files, retry_failed=retry_failed)
    ]


def test_a_failure_is_recorded_with_reason_and_request(gallery: Gallery, tmp_path: Path) -> None:
    """Path, code, message and what was asked for survive the process."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(CORRUPT)
    add(gallery, ImageFile(bad, id="b", caption="a thing", metadata={"n": 1}))
    gallery.close()

    (failure,) = failures_of(gallery.folder)

    assert failure.stamp.path == str(bad)
    assert failure.code == "image_undecodable"
    assert "JPEG" in failure.message
    assert (failure.id, failure.caption, failure.metadata) == ("b", "a thing", {"n": 1})
    assert failure.lasting
    assert failure.failed_ms > 0


def test_a_file_that_failed_and_did_not_change_is_not_read_again(
    gallery: Gallery, tmp_path: Path
) -> None:
    """It is reported with its first reason; here the file cannot even be read any more."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(CORRUPT)
    (first,) = add_files(gallery, [ImageFile(bad)])

    settled, rest = split_known(gallery, [ImageFile(bad)])

    assert rest == []
    error, before = settled[0].result.error, first.result.error
    assert error is not None
    assert before is not None
    assert (error.code, str(error)) == (before.code, str(before))
    assert split_known(gallery, [ImageFile(bad)], retry_failed=True) == ([], [ImageFile(bad)])


def test_a_mended_file_is_added_and_its_failure_forgotten(gallery: Gallery, tmp_path: Path) -> None:
    """A change of the file is reason enough to read it again."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(CORRUPT)
    assert add(gallery, ImageFile(bad)) == ["error"]
    bad.write_bytes(picture_bytes("red", format="JPEG"))

    assert add(gallery, ImageFile(bad)) == ["created"]
    assert recorded_failures(gallery.collection.store) == []


def test_what_may_pass_is_tried_every_time(gallery: Gallery, tmp_path: Path) -> None:
    """A missing file did not fail for what it holds."""
    path = tmp_path / "late.png"
    assert add(gallery, ImageFile(path)) == ["error"]
    (failure,) = recorded_failures(gallery.collection.store)
    assert (failure.lasting, failure.stamp.size, failure.code) == (False, -1, "not_found")

    path.write_bytes(picture_bytes("red"))
    assert add(gallery, ImageFile(path)) == ["created"]
    assert recorded_failures(gallery.collection.store) == []


def test_a_request_that_cannot_be_stored_fails_alone(gallery: Gallery, tmp_path: Path) -> None:
    """Half of a character and NaN are refused, and the refusal itself can be recorded."""
    path = tmp_path / "a.png"
    path.write_bytes(picture_bytes("red"))

    files = [
        ImageFile(path, caption="\ud800"),
        ImageFile(path, metadata={"x": float("nan")}),
        ImageFile(path),
    ]
    assert add(gallery, *files) == ["error", "error", "created"]


def test_a_gallery_without_failures_has_none(gallery: Gallery, tmp_path: Path) -> None:
    """The table is made when it is needed; a folder that is no gallery is an error."""
    assert recorded_failures(gallery.collection.store) == []
    assert recorded_failures(gallery.collection.store, ["x"]) == []
    with pytest.raises(NotFoundError, match="is not a gallery"):
        failures_of(tmp_path / "nowhere")


def test_failures_are_told_apart_by_path(gallery: Gallery, tmp_path: Path) -> None:
    """Asking for some paths returns those, in order of path."""
    for name in ("c.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(CORRUPT)
        add(gallery, ImageFile(tmp_path / name))

    store = gallery.collection.store
    wanted = [str(tmp_path / "c.jpg"), str(tmp_path / "a.jpg"), "/elsewhere"]

    assert [Path(f.stamp.path).name for f in recorded_failures(store, wanted)] == ["a.jpg", "c.jpg"]
    assert len(recorded_failures(store)) == 3


def test_failures_are_counted_by_reason_and_the_latest_come_first(gallery: Gallery) -> None:
    """Of a gallery without any there is nothing to count."""
    store = gallery.collection.store
    assert (count_failures(store), latest_failures(store, 2)) == ({}, [])
    failures = [
        Failure(FileStamp(path, 1, 1), code, "why", lasting=True, failed_ms=when)
        for path, code, when in (("/a", "fetch", 1), ("/b", "image_empty", 3), ("/c", "fetch", 2))
    ]
    gallery.collection.write(RecordFailures(failures))

    assert count_failures(store) == {"fetch": 2, "image_empty": 1}
    assert [failure.stamp.path for failure in latest_failures(store, 2)] == ["/b", "/c"]
