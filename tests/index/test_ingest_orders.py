"""Adding in any order and in any pieces makes the same gallery."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from index.gallery import Gallery
from index.ingest import ImageFile, add_files
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "yellow")


@st.composite
def orders(draw: st.DrawFn) -> list[list[int]]:
    """Draw the numbers of the twelve files in some order, cut into pieces, some given twice."""
    numbers = draw(st.permutations(range(12)))
    numbers += draw(st.lists(st.integers(0, 11), max_size=4))
    cuts = sorted(draw(st.sets(st.integers(1, len(numbers) - 1), max_size=4)))
    return [numbers[a:b] for a, b in zip([0, *cuts], [*cuts, len(numbers)], strict=True)]


def files_in(folder: Path) -> list[ImageFile]:
    """Write twelve files: four colours, each twice, some under ids of their own, four bad ones."""
    files = []
    for number in range(12):
        path = folder / f"{number}.png"
        if number >= 8:
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]))
            files.append(ImageFile(path))
            continue
        colour = COLOURS[number % 4]
        path.write_bytes(picture_bytes(colour))
        stated = f"own-{number}" if number in {1, 6} else None
        files.append(ImageFile(path, id=stated, caption=colour, metadata={"n": number % 4}))
    return files


def state(gallery: Gallery) -> dict[str, tuple[object, ...]]:
    """Return what the gallery holds, the place of the pictures apart."""
    items = gallery.collection.scroll(limit=100).items
    vectors = gallery.collection.find_vectors([item.id for item in items])
    return {
        item.id: (item.digest, item.caption, str(item.metadata), vectors[item.id].tobytes())
        for item in items
    }


def filled(folder: Path, pieces: Sequence[Sequence[ImageFile]]) -> dict[str, tuple[object, ...]]:
    """Return the state of a gallery that the pieces were added to one after the other."""
    with Gallery.open(folder, FakeEncoder()) as gallery:
        for piece in pieces:
            for _ in add_files(gallery, piece):
                pass
        assert all(gallery.image(item.id) for item in gallery.collection.scroll(limit=100).items)
        assert gallery.collection.count() == 6
        return state(gallery)


@settings(max_examples=12)
@given(pieces=orders())
def test_any_order_and_any_pieces_make_the_same_gallery(pieces: list[list[int]]) -> None:
    """Ids, digests, captions, metadata and vectors are those of adding all at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = files_in(folder)

        at_once = filled(folder / "a", [files])
        in_pieces = filled(folder / "b", [[files[number] for number in piece] for piece in pieces])

        assert in_pieces == at_once
