"""Rules of following deletions: what is gone goes, what is only elsewhere stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.pairs.image_file import FileSlice
from index.failures import recorded_failures
from index.gallery import Gallery
from index.ingest import ImageFile, add_files
from index.mirror import follow_deletions, known_files_below
from tests.fakes import FakeEncoder, picture_bytes


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield an empty gallery."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        yield opened


def add(gallery: Gallery, *files: Path | ImageFile, copy: bool = False) -> None:
    """Add files."""
    given = [file if isinstance(file, ImageFile) else ImageFile(file) for file in files]
    assert all(result for result in add_files(gallery, given, copy=copy))


def photo(path: Path, colour: str) -> Path:
    """Write a picture file, with its folder."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(picture_bytes(colour))
    return path


def sources(gallery: Gallery) -> set[str | None]:
    """Return where every item comes from."""
    return {item.source for item in gallery.collection.scroll().items}


def test_the_item_of_a_deleted_file_is_deleted(gallery: Gallery, tmp_path: Path) -> None:
    """With its thumbnail and its record; the others stay."""
    red, blue = photo(tmp_path / "p/red.png", "red"), photo(tmp_path / "p/blue.png", "blue")
    add(gallery, red, blue)
    red.unlink()

    assert follow_deletions(gallery, [red]) == 1
    assert sources(gallery) == {str(blue)}
    assert known_files_below(gallery.collection.store, [tmp_path / "p"]).keys() == {str(blue)}
    assert len(list((gallery.folder / "thumbnails").rglob("*.jpg"))) == 1


def test_a_folder_stands_for_all_in_it_and_for_nothing_beside_it(
    gallery: Gallery, tmp_path: Path
) -> None:
    """``p`` is not the beginning of ``p2`` or ``p.png``."""
    inside = photo(tmp_path / "p/red.png", "red")
    beside = [photo(tmp_path / "p2/blue.png", "blue"), photo(tmp_path / "p.png", "green")]
    add(gallery, inside, *beside)
    for path in (inside, *beside):
        path.unlink()

    assert follow_deletions(gallery, [tmp_path / "p"]) == 1
    assert sources(gallery) == {str(path) for path in beside}


def test_a_moved_file_keeps_its_item(gallery: Gallery, tmp_path: Path) -> None:
    """Once the new path is added, the old one is only forgotten."""
    old = photo(tmp_path / "a.png", "red")
    add(gallery, ImageFile(old, id="mine", caption="kept"))
    new = old.rename(tmp_path / "b.png")
    add(gallery, new)

    assert follow_deletions(gallery, [old]) == 0
    assert gallery.item("mine").caption == "kept"
    assert known_files_below(gallery.collection.store, [tmp_path]).keys() == {str(new)}


def test_a_second_copy_becomes_the_source(gallery: Gallery, tmp_path: Path) -> None:
    """The picture is still there, so the item is."""
    first, second = photo(tmp_path / "a.png", "red"), photo(tmp_path / "b.png", "red")
    add(gallery, first, second)
    first.unlink()

    assert follow_deletions(gallery, [tmp_path]) == 0
    assert sources(gallery) == {str(second)}


def test_a_second_copy_that_changed_is_none(gallery: Gallery, tmp_path: Path) -> None:
    """It is an item of its own by now; that of the old content goes."""
    first, second = photo(tmp_path / "a.png", "red"), photo(tmp_path / "b.png", "red")
    add(gallery, first, second)
    first.unlink()
    photo(second, "blue")

    assert follow_deletions(gallery, [first]) == 1
    assert sources(gallery) == {str(second)}


def test_kept_bytes_outlive_their_file(gallery: Gallery, tmp_path: Path) -> None:
    """What was copied, or came out of a container, is the gallery's own."""
    copied, data = photo(tmp_path / "a.png", "red"), picture_bytes("blue")
    container = tmp_path / "a.tar"
    container.write_bytes(data)
    add(gallery, copied, copy=True)
    add(gallery, ImageFile(FileSlice(container, "1.png", 0, len(data))))
    copied.unlink()
    container.unlink()

    assert follow_deletions(gallery, [tmp_path]) == 0
    assert gallery.collection.count() == 2


def test_the_failure_of_a_deleted_file_is_forgotten(gallery: Gallery, tmp_path: Path) -> None:
    """There is nothing left to retry."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff")
    add(gallery, bad)
    assert len(recorded_failures(gallery.collection.store)) == 1
    bad.unlink()

    assert follow_deletions(gallery, [tmp_path]) == 0
    assert recorded_failures(gallery.collection.store) == []
