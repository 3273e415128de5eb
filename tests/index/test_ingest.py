"""Rules of adding files: known ones are skipped, changed ones replaced, bad ones named."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.artifacts import sha256_bytes
from core.pairs.image_file import FileSlice
from core.types import FloatArray, PixelArray
from encoders.decoding import DecodeLimits
from index import ingest as module
from index.gallery import Gallery
from index.ingest import ImageFile, add_files
from index.sources import Picture, read_picture
from tests.fakes import FakeEncoder, picture_bytes


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield an empty gallery."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        yield opened


def photo(folder: Path, name: str, colour: str | tuple[int, int, int]) -> Path:
    """Write a picture file."""
    path = folder / name
    path.write_bytes(picture_bytes(colour))
    return path


def statuses(gallery: Gallery, *paths: Path | ImageFile, copy: bool = False) -> list[str]:
    """Add files and return their statuses."""
    files = [path if isinstance(path, ImageFile) else ImageFile(path) for path in paths]
    return [str(added.result.status) for added in add_files(gallery, files, copy=copy)]


def calls(gallery: Gallery) -> int:
    """Return how often the model was asked for pictures."""
    assert isinstance(gallery.encoder, FakeEncoder)
    return gallery.encoder.image_calls


def test_unchanged_files_are_skipped_unread(gallery: Gallery, tmp_path: Path) -> None:
    """Path, size and time of change decide; the file is not even opened."""
    path = photo(tmp_path, "a.png", "red")
    assert statuses(gallery, path) == ["created"]
    stamp = path.stat()
    path.write_bytes(b"x" * stamp.st_size)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    assert statuses(gallery, path) == ["unchanged"]


def test_a_touched_file_is_recognised_by_its_content(gallery: Gallery, tmp_path: Path) -> None:
    """Another time of change costs a look at the bytes, not the model."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, path)
    before = calls(gallery)
    os.utime(path, ns=(1, 1))

    assert statuses(gallery, path) == ["unchanged"]
    assert calls(gallery) == before


def test_a_changed_file_replaces_its_item(gallery: Gallery, tmp_path: Path) -> None:
    """The item of a path follows its content and keeps its id and caption."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, ImageFile(path, caption="mine"))
    photo(tmp_path, "a.png", "blue")

    assert statuses(gallery, path) == ["updated"]
    (item,) = gallery.collection.scroll().items
    assert item.id == sha256_bytes(picture_bytes("red"))[:16]
    assert item.digest == sha256_bytes(picture_bytes("blue"))
    assert item.caption == "mine"
    assert gallery.image(item.id) == picture_bytes("blue")


def test_old_content_in_a_new_file_is_an_item_of_its_own(gallery: Gallery, tmp_path: Path) -> None:
    """The id of a changed item is not taken over by a file with its former content."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, path)
    photo(tmp_path, "a.png", "blue")
    statuses(gallery, path)

    assert statuses(gallery, photo(tmp_path, "b.png", "red")) == ["created"]
    assert {item.digest for item in gallery.collection.scroll().items} == {
        sha256_bytes(picture_bytes("red")),
        sha256_bytes(picture_bytes("blue")),
    }


def test_a_second_copy_of_a_file_is_no_second_item(gallery: Gallery, tmp_path: Path) -> None:
    """Equal bytes are one item, and adding both again changes nothing."""
    first, second = photo(tmp_path, "a.png", "red"), photo(tmp_path, "b.png", "red")

    assert statuses(gallery, first) == ["created"]
    assert statuses(gallery, second) == ["unchanged"]
    assert statuses(gallery, first, second) == ["unchanged", "unchanged"]
    assert gallery.collection.scroll().items[0].source == str(first)


def test_a_moved_file_is_found_again(gallery: Gallery, tmp_path: Path) -> None:
    """The item gets the new path; its vector is not made anew."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, path)
    before = calls(gallery)
    moved = path.rename(tmp_path / "b.png")

    assert statuses(gallery, moved) == ["updated"]
    assert calls(gallery) == before
    assert gallery.collection.scroll().items[0].source == str(moved)


def test_a_moved_file_keeps_an_item_of_any_name(gallery: Gallery, tmp_path: Path) -> None:
    """An id that a table gave stays when the file turns up elsewhere without one."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, ImageFile(path, id="r1", caption="mine"))
    moved = path.rename(tmp_path / "b.png")

    assert statuses(gallery, moved) == ["updated"]
    (item,) = gallery.collection.scroll().items
    assert (item.id, item.caption, item.source) == ("r1", "mine", str(moved))


def test_a_file_moved_away_for_a_new_one_keeps_both(gallery: Gallery, tmp_path: Path) -> None:
    """The path keeps its item for the new content; the old content is not lost with it."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, path)
    moved = path.rename(tmp_path / "b.png")
    photo(tmp_path, "a.png", "blue")

    assert statuses(gallery, path, moved) == ["updated", "created"]
    by_source = {item.source: item.digest for item in gallery.collection.scroll().items}
    assert by_source == {
        str(path): sha256_bytes(picture_bytes("blue")),
        str(moved): sha256_bytes(picture_bytes("red")),
    }


def test_one_content_is_embedded_once(gallery: Gallery, tmp_path: Path) -> None:
    """Copies share a vector, within a batch and later, also under ids of their own."""
    paths = [photo(tmp_path, f"{n}.png", "red") for n in range(3)]
    assert isinstance(gallery.encoder, FakeEncoder)

    files = [ImageFile(paths[0], id="x"), ImageFile(paths[1], id="y"), ImageFile(paths[2])]
    assert statuses(gallery, *files) == ["created", "created", "created"]
    assert statuses(gallery, ImageFile(photo(tmp_path, "4.png", "red"), id="z")) == ["created"]
    assert gallery.encoder.images_seen == 1
    first, *others = gallery.collection.vectors(["x", "y", "z"])
    assert all((first == other).all() for other in others)


def test_copies_side_by_side_are_one_item_of_the_first(gallery: Gallery, tmp_path: Path) -> None:
    """Within one batch as across two: the second copy changes nothing."""
    first, second = photo(tmp_path, "a.png", "red"), photo(tmp_path, "b.png", "red")

    assert statuses(gallery, first, second) == ["created", "unchanged"]
    assert gallery.collection.scroll().items[0].source == str(first)


def test_a_copy_takes_over_when_the_first_file_is_gone(gallery: Gallery, tmp_path: Path) -> None:
    """A known copy is not skipped when its item has no file any more."""
    first, second = photo(tmp_path, "a.png", "red"), photo(tmp_path, "b.png", "red")
    statuses(gallery, first, second)
    first.unlink()

    assert statuses(gallery, second) == ["updated"]
    (item,) = gallery.collection.scroll().items
    assert gallery.image(item.id) == picture_bytes("red")


def test_a_new_caption_is_taken_over(gallery: Gallery, tmp_path: Path) -> None:
    """Given captions and metadata count as content; left out ones keep what is stored."""
    path = photo(tmp_path, "a.png", "red")

    assert statuses(gallery, ImageFile(path, caption="x", metadata={"n": 1})) == ["created"]
    assert statuses(gallery, ImageFile(path)) == ["unchanged"]
    assert statuses(gallery, ImageFile(path, caption="y")) == ["updated"]
    (item,) = gallery.collection.scroll().items
    assert (item.caption, item.metadata) == ("y", {"n": 1})


def test_bad_files_are_named_and_the_rest_is_added(gallery: Gallery, tmp_path: Path) -> None:
    """Corrupt, empty, missing and unreadable names each have their own error."""
    corrupt, empty = tmp_path / "bad.jpg", tmp_path / "empty.png"
    corrupt.write_bytes(b"\xff\xd8\xff" + b"x" * 100)
    empty.write_bytes(b"")
    odd = tmp_path / "odd\udcff.png"
    odd.write_bytes(picture_bytes("red"))
    files = [corrupt, photo(tmp_path, "a.png", "red"), empty, tmp_path / "missing.png", odd]

    results = list(add_files(gallery, map(ImageFile, files)))

    assert [str(added.result.status) for added in results] == [
        "error", "created", "error", "error", "error"
    ]  # fmt: skip
    codes = [added.result.error.code for added in results if added.result.error is not None]
    assert codes == ["image_undecodable", "image_empty", "not_found", "invalid_request"]
    assert [added.path for added in results] == files


def test_copies_are_kept_when_asked(gallery: Gallery, tmp_path: Path) -> None:
    """With copy the gallery serves the picture after the file is gone."""
    path = photo(tmp_path, "a.png", "red")
    statuses(gallery, path)
    assert statuses(gallery, path, copy=True) == ["unchanged"]
    path.unlink()

    (item,) = gallery.collection.scroll().items
    assert gallery.image(item.id) == picture_bytes("red")


def test_many_files_arrive_in_order_and_in_batches(gallery: Gallery, tmp_path: Path) -> None:
    """A call of the model embeds 64 files; stopping early keeps what was yielded."""
    paths = [photo(tmp_path, f"{n:03}.png", (n, 0, 0)) for n in range(200)]
    results = add_files(gallery, map(ImageFile, paths))
    assert next(results).path == paths[0]
    results.close()
    assert gallery.collection.count() == 64
    before = calls(gallery)

    found = list(add_files(gallery, map(ImageFile, paths)))

    assert [added.path for added in found] == paths
    assert [str(added.result.status) for added in found] == ["unchanged"] * 64 + ["created"] * 136
    assert calls(gallery) - before == 3


def test_a_picture_in_a_container_is_copied_and_known_again(
    gallery: Gallery, tmp_path: Path
) -> None:
    """There is no file to read it from later; its place, size and the container's time are kept."""
    data = picture_bytes("red")
    container = tmp_path / "a.tar"
    container.write_bytes(b"x" * 10 + data)
    inside = ImageFile(FileSlice(container, "1.png", 10, len(data)), caption="red")

    assert statuses(gallery, inside) == ["created"]
    assert statuses(gallery, inside) == ["unchanged"]
    item = gallery.collection.scroll().items[0]
    assert item.source == f"{container}!1.png"
    assert statuses(gallery, photo(tmp_path, "copy.png", "red")) == ["unchanged"]
    container.unlink()
    assert gallery.image(item.id) == data
    assert statuses(gallery, inside) == ["error"]


class SignallingEncoder(FakeEncoder):
    """Says when it is asked for the second time."""

    def __init__(self) -> None:
        """Make the signal."""
        super().__init__()
        self.second_call = threading.Event()

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Embed, and signal the second call."""
        found = super().encode_images(pixels_NSS3)
        if self.image_calls > 1:
            self.second_call.set()
        return found


def test_the_model_works_while_a_batch_is_stored(tmp_path: Path) -> None:
    """The next batch is embedded although nobody has asked for a second result yet."""
    encoder = SignallingEncoder()
    paths = [photo(tmp_path, f"{n:03}.png", (n, 0, 0)) for n in range(140)]
    with Gallery.open(tmp_path / "gallery", encoder) as gallery:
        results = add_files(gallery, map(ImageFile, paths))
        next(results)

        assert encoder.second_call.wait(60)
        assert gallery.collection.count() == 64
        assert len(list(results)) == 139


def test_a_content_in_two_batches_in_flight_is_embedded_once(
    gallery: Gallery, tmp_path: Path
) -> None:
    """The second batch meets a picture that the first has embedded and not stored yet."""
    paths = [photo(tmp_path, f"{n:03}.png", (n % 64, 0, 0)) for n in range(128)]

    list(add_files(gallery, [ImageFile(path, id=path.stem) for path in paths]))

    assert isinstance(gallery.encoder, FakeEncoder)
    assert gallery.encoder.images_seen == 64
    assert gallery.collection.count() == 128


def test_bytes_that_are_kept_bound_what_is_read_ahead(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pictures in a container two fit ahead, two into a batch, and few batches are in flight."""
    pictures = [picture_bytes((n, 0, 0)) for n in range(40)]
    container = tmp_path / "a.tar"
    container.write_bytes(b"".join(pictures))
    ends = list(itertools.accumulate(map(len, pictures)))
    files = [
        ImageFile(FileSlice(container, f"{n}.png", end - len(data), len(data)))
        for n, (data, end) in enumerate(zip(pictures, ends, strict=True))
    ]
    read: list[object] = []
    monkeypatch.setattr(module, "_MOST_BYTES", int(2.5 * max(map(len, pictures))))

    def reading(picture: Picture, limits: DecodeLimits) -> bytes:
        read.append(picture)
        return read_picture(picture, limits)

    monkeypatch.setattr(module, "read_picture", reading)
    results = add_files(gallery, files)

    for taken in range(1, 31):
        next(results)
        # Two results of the batch that is stored, two batches in flight with one picture that cut
        # the batch, and two that are read ahead.
        assert len(read) <= taken + 1 + 2 * 2 + 1 + 2
    results.close()
