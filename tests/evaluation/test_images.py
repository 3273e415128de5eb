"""Rules of evaluation.images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.artifacts import sha256_bytes
from core.pairs.image_file import FileSlice
from core.progress import SilentProgress
from evaluation.images import embed_images
from tests.fakes import FakeEncoder, picture_bytes


def write_pictures(folder: Path, colours: list[str]) -> list[Path]:
    """Write one picture per colour and return the paths."""
    paths = [folder / f"{number:03}-{colour}.png" for number, colour in enumerate(colours)]
    for path, colour in zip(paths, colours, strict=True):
        path.write_bytes(picture_bytes(colour))
    return paths


def test_every_image_has_its_embedding(tmp_path: Path) -> None:
    """In the order of the files, across batches of 32."""
    colours = ["red", "green", "blue"] * 15
    encoder = FakeEncoder()

    embedded = embed_images(encoder, write_pictures(tmp_path, colours))

    assert embedded.places_G == tuple(range(45))
    assert encoder.image_calls == 2
    expected_ND = encoder.encode_texts(colours)
    np.testing.assert_allclose(embedded.embeddings_GD, expected_ND, atol=1e-2)


def test_a_bad_image_harms_no_neighbour(tmp_path: Path) -> None:
    """Truncated, empty, foreign and missing files are named; the others are embedded."""
    paths = write_pictures(tmp_path, ["red", "green", "blue", "red", "white", "black"])
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    paths[2].write_bytes(b"")
    paths[3].write_text("no picture")
    paths[4].unlink()

    embedded = embed_images(FakeEncoder(), paths)

    assert embedded.places_G == (0, 5)
    assert embedded.embeddings_GD.shape == (2, 8)
    assert [(item.place, item.image, item.code) for item in embedded.failed] == [
        (1, paths[1], "image_truncated"),
        (2, paths[2], "image_empty"),
        (3, paths[3], "image_unsupported"),
        (4, paths[4], "not_found"),
    ]
    assert all(item.message for item in embedded.failed)


def test_digests_are_of_the_bytes_of_every_file_that_can_be_read(tmp_path: Path) -> None:
    """A corrupt file has a digest too; a missing one has none."""
    paths = write_pictures(tmp_path, ["red", "green", "blue"])
    paths[1].write_bytes(b"broken")
    paths[2].unlink()

    embedded = embed_images(FakeEncoder(), paths)

    assert embedded.digests_N == (
        sha256_bytes(picture_bytes("red")),
        sha256_bytes(b"broken"),
        None,
    )


def test_no_good_image_gives_an_empty_matrix(tmp_path: Path) -> None:
    """Nothing to embed is no error here; the caller knows what it means."""
    embedded = embed_images(FakeEncoder(), [tmp_path / "none.png"])

    assert embedded.embeddings_GD.shape == (0, 8)
    assert embedded.embeddings_GD.dtype == np.float32


def test_progress_counts_bad_images_too(tmp_path: Path) -> None:
    """The bar arrives at its end."""
    counted: list[int] = []

    class Counting(SilentProgress):
        """Remembers the counts."""

        def advance(self, count: int = 1, **fields: str | float) -> None:
            """Note the count."""
            counted.append(count)

    def factory(title: str, *, total: int | None, unit: str, initial: int = 0) -> Counting:
        counted.append(-(total or 0))
        return Counting()

    paths = [*write_pictures(tmp_path, ["red"] * 33), tmp_path / "none.png"]
    embed_images(FakeEncoder(), paths, progress=factory)

    assert counted == [-34, 32, 2]


def test_pictures_inside_containers_are_embedded_as_files_are(tmp_path: Path) -> None:
    """A slice of a tar gives the same vector; one beyond its end is named."""
    data = picture_bytes("blue")
    container = tmp_path / "a.tar"
    container.write_bytes(b"x" * 7 + data)
    loose = write_pictures(tmp_path, ["blue"])
    cut = FileSlice(container, "2.png", 7, len(data) + 1)

    embedded = embed_images(
        FakeEncoder(), [FileSlice(container, "1.png", 7, len(data)), *loose, cut]
    )

    np.testing.assert_array_equal(embedded.embeddings_GD[0], embedded.embeddings_GD[1])
    assert [(failed.image, failed.code) for failed in embedded.failed] == [(cut, "not_found")]
