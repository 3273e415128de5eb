"""Rules of encoders.decoding: what is accepted, what is refused, and with which code."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.errors import (
    ImageError,
    ImageTooLargeError,
    NotFoundError,
    UndecodableImageError,
    UnsupportedImageError,
)
from core.pairs.image_file import FileSlice
from encoders.decoding import (
    DecodeLimits,
    decode_image,
    image_size,
    read_image_file,
    sniff_format,
)
from tests.fakes import picture_bytes

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """Return the bytes of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(width: int, height: int) -> Image.Image:
    """Return a picture that does not compress."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("format", FORMATS)
def test_each_accepted_format_gives_an_rgb_picture(format: str) -> None:
    """JPEG, PNG, WebP, GIF and BMP are accepted by default."""
    image = decode_image(picture_bytes("green", size=(32, 24), format=format))

    assert (image.mode, image.size) == ("RGB", (32, 24))
    assert np.abs(np.asarray(image).astype(int) - (20, 200, 20)).max() <= 4


@pytest.mark.parametrize("format", ["AVIF", "TIFF"])
def test_avif_and_tiff_have_to_be_switched_on(format: str) -> None:
    """They are refused by default and decoded when the limits name them."""
    data = picture_bytes("red", format=format)

    with pytest.raises(UnsupportedImageError, match=f"a {format} file; accepted are JPEG"):
        decode_image(data)
    assert decode_image(data, DecodeLimits(formats=(format,))).size == (32, 24)


@pytest.mark.parametrize("data", [SVG, b"%!PS-Adobe", b"%PDF-1.7", b"8BPS\x00\x01", b"x", b"hello"])
def test_bytes_of_no_known_format_are_unsupported(data: bytes) -> None:
    """Nothing but the allow-list reaches Pillow, whatever the name of the file was."""
    with pytest.raises(UnsupportedImageError) as caught:
        decode_image(data)

    assert caught.value.code == "image_unsupported"


def test_a_format_is_known_by_its_first_bytes_only() -> None:
    """A PNG with a tail of another kind is a PNG."""
    assert sniff_format(picture_bytes() + SVG) == "PNG"
    assert sniff_format(SVG + picture_bytes()) is None


def test_empty_bytes_have_a_code_of_their_own() -> None:
    """An empty upload is named as such."""
    with pytest.raises(UndecodableImageError, match="0 bytes") as caught:
        decode_image(b"")

    assert caught.value.code == "image_empty"


@pytest.mark.parametrize("format", FORMATS)
def test_every_cut_of_a_file_is_an_image_error(format: str) -> None:
    """No prefix that lacks pixels is decoded, and none raises anything but an ImageError."""
    data = encoded(noise(40, 30), format)

    for length in range(0, len(data) - 40, 97):
        with pytest.raises(ImageError):
            decode_image(data[:length])


def test_half_a_jpeg_is_said_to_be_truncated() -> None:
    """The most usual damage has a code of its own."""
    data = encoded(noise(64, 64), "JPEG")

    with pytest.raises(UndecodableImageError, match="cut short") as caught:
        decode_image(data[: len(data) // 2])

    assert caught.value.code == "image_truncated"


@pytest.mark.parametrize("format", FORMATS)
def test_flipped_bits_never_raise_anything_else(format: str) -> None:
    """A damaged file gives a picture or an ImageError."""
    data = bytearray(encoded(noise(24, 24), format))
    random = np.random.default_rng(1)

    for _ in range(60):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 3):
            damaged[position] ^= 1 << int(random.integers(0, 8))
        try:
            decode_image(bytes(damaged), DecodeLimits(max_pixels=100_000))
        except ImageError:
            continue


def test_too_many_bytes_are_refused_with_value_and_limit() -> None:
    """The message says how many there are and how many may be."""
    with pytest.raises(ImageTooLargeError, match="101 bytes, the limit is 100") as caught:
        decode_image(b"x" * 101, DecodeLimits(max_bytes=100))

    assert caught.value.code == "image_too_many_bytes"


def test_too_many_pixels_are_refused_before_decoding() -> None:
    """A small file of a huge picture costs nothing: 13300 x 13300 in 1 bit."""
    bomb = encoded(Image.new("1", (13300, 13300)))

    with pytest.raises(ImageTooLargeError, match="40000000") as caught:
        decode_image(bomb)

    assert len(bomb) < 40_000
    assert caught.value.code == "image_too_many_pixels"


def test_the_warning_of_pillow_never_leaks() -> None:
    """Between 89 and 179 megapixels Pillow only warns; here it is an error without a warning."""
    bomb = encoded(Image.new("1", (10_000, 10_000)))

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(ImageTooLargeError):
            decode_image(bomb, DecodeLimits(max_pixels=90_000_000))

    assert [str(warning.message) for warning in seen if "bomb" not in str(warning.message)] == []


@pytest.mark.parametrize("size", [(20_001, 1), (1, 20_001)])
def test_a_side_too_long_is_refused(size: tuple[int, int]) -> None:
    """A strip has few pixels but could be resized to many."""
    with pytest.raises(ImageTooLargeError, match="20001 pixels, the limit is 20000") as caught:
        decode_image(encoded(Image.new("L", size)))

    assert caught.value.code == "image_side_too_long"


def test_a_jpeg_may_declare_twice_the_pixels_when_it_is_shrunk() -> None:
    """At reduced scale only the reduced picture is held in memory."""
    data = encoded(Image.new("RGB", (300, 300), (9, 9, 9)), "JPEG")
    limits = DecodeLimits(max_pixels=50_000)

    assert decode_image(data, limits, min_side=64).size == (75, 75)
    with pytest.raises(ImageTooLargeError):
        decode_image(data, limits)
    with pytest.raises(ImageTooLargeError):
        decode_image(data, DecodeLimits(max_pixels=40_000), min_side=64)


def test_the_shorter_side_keeps_its_pixels() -> None:
    """Scales are 1/2, 1/4 and 1/8, and none goes below the side that was asked for."""
    data = encoded(Image.new("RGB", (400, 1000), (9, 9, 9)), "JPEG")

    sizes = [decode_image(data, min_side=side).size for side in (401, 400, 200, 199, 51, 50)]

    assert sizes == [(400, 1000), (400, 1000), (200, 500), (200, 500), (100, 250), (50, 125)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """All eight orientations of one picture come out the same way up."""
    upright = Image.new("RGB", (6, 4), (0, 0, 0))
    upright.putpixel((0, 0), (255, 0, 0))
    upright.putpixel((5, 0), (0, 255, 0))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation

    decoded = decode_image(encoded(stored, "PNG", exif=exif))

    assert decoded.tobytes() == upright.tobytes()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on the damaged EXIF
@pytest.mark.parametrize("exif", [b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"Exif\x00\x00junk"])
def test_damaged_exif_is_ignored(exif: bytes) -> None:
    """The picture is decoded as it is stored."""
    assert decode_image(encoded(Image.new("RGB", (6, 4)), "JPEG", exif=exif)).size == (6, 4)


def test_only_the_first_frame_of_an_animation_counts() -> None:
    """The other frames are not looked at."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert decode_image(data).getpixel((4, 4)) == (255, 0, 0)


def test_a_text_chunk_bomb_is_refused() -> None:
    """A compressed comment that unpacks to a megabyte is no picture for us."""
    info = PngInfo()
    info.add_text("comment", "a" * 1_000_000, zip=True)

    with pytest.raises(UndecodableImageError):
        decode_image(encoded(Image.new("RGB", (4, 4)), "PNG", pnginfo=info))


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    """The size on disk is checked first."""
    path = tmp_path / "large.jpg"
    path.write_bytes(b"x" * 101)

    with pytest.raises(ImageTooLargeError, match="101 bytes"):
        read_image_file(path, DecodeLimits(max_bytes=100))
    assert read_image_file(path) == b"x" * 101


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(NotFoundError, match=r"gone\.jpg cannot be read: No such file"):
        read_image_file(tmp_path / "gone.jpg")


def test_a_photograph_with_a_second_picture_inside_is_a_jpeg() -> None:
    """Phones append depth maps and previews (MPO); the first picture counts, also reduced."""
    first, second = Image.new("RGB", (400, 400), "red"), Image.new("RGB", (40, 40), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second])

    assert decode_image(data).size == (400, 400)
    assert decode_image(data, min_side=100).size == (100, 100)


def test_a_picture_in_a_container_has_the_same_limit(tmp_path: Path) -> None:
    """Too large a member is refused before it is read."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"x" * 200)
    small, large = FileSlice(path, "a.png", 3, 100), FileSlice(path, "b.png", 0, 101)

    assert read_image_file(small, DecodeLimits(max_bytes=100)) == b"x" * 100
    with pytest.raises(ImageTooLargeError, match="101 bytes"):
        read_image_file(large, DecodeLimits(max_bytes=100))


@pytest.mark.parametrize(("orientation", "size"), [(1, (30, 20)), (3, (30, 20)), (6, (20, 30))])
def test_the_size_of_a_picture_is_that_of_the_upright_one(
    orientation: int, size: tuple[int, int]
) -> None:
    """A quarter turn exchanges width and height, as decoding does."""
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20)).save(buffer, "JPEG", exif=exif)

    assert image_size(buffer.getvalue()) == size == decode_image(buffer.getvalue()).size
    with pytest.raises(UndecodableImageError):
        image_size(b"junk")
