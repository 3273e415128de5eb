"""Rules of training.doctor.picture."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from core.pairs.pair import Pair
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits
from tests.training.doctor.drawings import encoded, scene
from training.doctor.picture import BadPicture, Trait, inspect_bytes, inspect_pair


def animated() -> bytes:
    """Return a GIF of two frames."""
    buffer = io.BytesIO()
    scene(1).save(buffer, "GIF", save_all=True, append_images=[scene(2)])
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    """Return a JPEG with an EXIF orientation."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene(1).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def clear() -> bytes:
    """Return a PNG with transparency."""
    image = scene(1).convert("RGBA")
    image.putalpha(128)
    return encoded(image)


@pytest.mark.parametrize(
    ("data", "traits"),
    [
        (encoded(scene(1)), Trait(0)),
        (animated(), Trait.ANIMATED),
        (encoded(scene(1).convert("CMYK"), "JPEG"), Trait.CMYK),
        (clear(), Trait.ALPHA),
        (turned(3), Trait.ROTATED),
        (turned(1), Trait(0)),
        (encoded(scene(1).convert("L"), "JPEG"), Trait.GREY),
        (encoded(scene(1).convert("L").convert("RGB")), Trait.GREY),
    ],
    ids=["plain", "gif", "cmyk", "alpha", "upside down", "upright", "grey", "grey as rgb"],
)
def test_traits(data: bytes, traits: Trait) -> None:
    """What a picture is besides its size is told from the file and its pixels."""
    assert inspect_bytes(data, DEFAULT_LIMITS).traits == traits


def test_the_size_is_that_of_the_upright_picture() -> None:
    """An EXIF quarter turn swaps width and height."""
    facts = inspect_bytes(turned(6), DEFAULT_LIMITS)

    assert (facts.width, facts.height, facts.format) == (80, 96, "JPEG")


def test_a_large_jpeg_keeps_its_size() -> None:
    """It is decoded at a reduced scale, but its size is that of the file."""
    data = encoded(scene(1, size=(1600, 1200)), "JPEG")

    facts = inspect_bytes(data, DEFAULT_LIMITS)

    assert (facts.width, facts.height, facts.num_bytes) == (1600, 1200, len(data))


def test_equal_files_have_equal_digests() -> None:
    """The digest is that of the bytes, not of the pixels."""
    one, other = encoded(scene(1)), encoded(scene(1), "BMP")

    digests = [inspect_bytes(data, DEFAULT_LIMITS).digest for data in (one, one, other)]

    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 16


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "not_found"),
        (b"", "image_empty"),
        (encoded(scene(1), "JPEG")[:-200], "image_truncated"),
        (b"GIF89a" + b"x" * 30, "image_undecodable"),
        (b"hello", "image_unsupported"),
        (encoded(scene(1), "BMP"), "image_too_many_bytes"),
        (encoded(Image.new("RGB", (200, 100))), "image_too_many_pixels"),
        (encoded(Image.new("RGB", (150, 10))), "image_side_too_long"),
    ],
)
def test_a_bad_picture_says_why(tmp_path: Path, data: bytes | None, code: str) -> None:
    """Its code is for machines, its message for people; the pair is named."""
    path = tmp_path / "a.jpg"
    if data is not None:
        path.write_bytes(data)
    limits = DecodeLimits(max_bytes=20_000, max_pixels=10_000, max_side=120)

    found = inspect_pair(3, Pair("an id", path, ("a caption",)), limits)

    assert isinstance(found, BadPicture)
    assert (found.row, found.id, found.image, found.code) == (3, "an id", str(path), code)
    assert found.message
