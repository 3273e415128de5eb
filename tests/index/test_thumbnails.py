"""Rules of thumbnails: a few sizes, each made once, whose shape is known without a decoder."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Barrier, Thread

import pytest
from PIL import Image

from index.adding import NewImage
from index.gallery import Gallery
from index.thumbnails import (
    THUMBNAIL_SIDES,
    ThumbnailFolder,
    jpeg_shape,
    thumbnail_bytes,
)
from tests.fakes import FakeEncoder, picture_bytes

DIGEST = "cd" * 32


@pytest.mark.parametrize("shape", [(320, 7), (1, 1), (200, 320)])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_shape_is_that_of_the_decoder(shape: tuple[int, int], *, progressive: bool) -> None:
    """Peer: Pillow, which made the file."""
    buffer = io.BytesIO()
    Image.new("RGB", shape).save(buffer, "JPEG", progressive=progressive)

    assert jpeg_shape(buffer.getvalue()) == shape


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", bytes(100), b"\xff\xd8\xff\xe0\x00\x00" * 20])
def test_what_is_no_jpeg_has_no_shape(data: bytes) -> None:
    """A file that lost its bytes is not measured."""
    assert jpeg_shape(data) is None


def test_each_size_is_made_once_and_goes_with_the_item(tmp_path: Path) -> None:
    """The longer side is what was asked for; the files stay until the item is deleted."""
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        gallery.add([NewImage(data=picture_bytes(size=(900, 450)), id="a")])
        sizes = {
            side: Image.open(io.BytesIO(gallery.thumbnail("a", side=side))).size
            for side in THUMBNAIL_SIDES
        }
        assert sizes == {160: (160, 80), 320: (320, 160), 640: (640, 320)}
        assert gallery.thumbnail_shape(gallery.item("a").digest) == (320, 160)
        assert len(list((tmp_path / "thumbnails").rglob("*.jpg"))) == len(THUMBNAIL_SIDES)
        assert gallery.drop_strays() == []
        gallery.delete(["a"])

        assert list((tmp_path / "thumbnails").rglob("*.jpg")) == []


def test_threads_that_make_the_same_one_at_once_do_not_meet(tmp_path: Path) -> None:
    """Each writes a file of its own, and the last rename wins."""
    folder, whole = ThumbnailFolder(tmp_path), thumbnail_bytes(Image.new("RGB", (400, 300)))
    together, problems = Barrier(4), []

    def keep(round_: int) -> None:
        together.wait(60)
        try:
            folder.keep(f"{round_:064x}", whole)
        except Exception as error:  # noqa: BLE001 - it is shown by the assertion
            problems.append(error)

    for round_ in range(20):
        threads = [Thread(target=keep, args=(round_,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert problems == []
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".jpg"}


def test_a_shape_is_known_before_and_after_the_file(tmp_path: Path) -> None:
    """What was not made has none; what was kept by an earlier process is read from its file."""
    folder = ThumbnailFolder(tmp_path)
    assert folder.shape(DIGEST) is None
    folder.keep(DIGEST, thumbnail_bytes(Image.new("RGB", (400, 300))))

    assert folder.shape(DIGEST) == ThumbnailFolder(tmp_path).shape(DIGEST) == (320, 240)
