"""Rules of encoders.colour: the same picture in every mode looks the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.types import PixelArray
from encoders.colour import to_rgb

GREY = np.linspace(0, 255, 16 * 16).reshape(16, 16).astype(np.uint8)


def pixels(image: Image.Image) -> PixelArray:
    """Return the pixels of the picture as RGB."""
    return np.asarray(to_rgb(image))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "YCbCr", "HSV", "RGBA", "LA", "RGBX"])
def test_eight_bit_modes_look_the_same(mode: str) -> None:
    """Grey stays grey within the rounding of the colour space."""
    image = Image.fromarray(GREY).convert(mode)

    assert np.abs(pixels(image)[..., 0].astype(int) - GREY).max() <= 2


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    """65535 is white, 32768 is the middle; Pillow itself would make both white."""
    image = Image.fromarray(np.array([[0, 257, 32768, 65535]], np.uint16))

    assert image.mode == "I;16"
    assert pixels(image)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_integers_within_sixteen_bits_are_scaled_as_such() -> None:
    """Mode I holds 16-bit PNGs in older files."""
    image = Image.fromarray(np.array([[0, 65535, 514]], np.int32))

    assert pixels(image)[0, :, 0].tolist() == [0, 255, 2]


def test_wider_integers_are_scaled_by_their_range() -> None:
    """The smallest value is black and the largest is white."""
    image = Image.fromarray(np.array([[-100, -60, 100]], np.int32))

    assert pixels(image)[0, :, 0].tolist() == [0, 51, 255]


def test_floats_between_zero_and_one_are_levels() -> None:
    """What is not finite is black."""
    image = Image.fromarray(np.array([[0.0, 0.5, 1.0, np.nan, np.inf]], np.float32))

    assert pixels(image)[0, :, 0].tolist() == [0, 128, 255, 0, 0]


def test_a_constant_float_picture_does_not_divide_by_zero() -> None:
    """A picture without a range is black."""
    assert pixels(Image.fromarray(np.full((1, 2), 7.0, np.float32)))[0, 0].tolist() == [0, 0, 0]


def test_transparent_pixels_are_white() -> None:
    """The colour that is hidden under alpha 0 does not show."""
    image = Image.new("RGBA", (1, 1), (255, 0, 0, 0))

    assert pixels(image)[0, 0].tolist() == [255, 255, 255]


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    """Black at alpha 128 is (255 - 128) grey."""
    image = Image.new("RGBA", (1, 1), (0, 0, 0, 128))

    assert pixels(image)[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparency_key_is_white(mode: str) -> None:
    """PNG can name one colour or palette entry as transparent."""
    image = Image.new(mode, (2, 1), 0 if mode != "RGB" else (0, 0, 0))
    image.info["transparency"] = (0, 0, 0) if mode == "RGB" else 0

    assert pixels(image)[0, 0].tolist() == [255, 255, 255]


def test_one_bit_is_black_and_white() -> None:
    """Mode 1 has two levels."""
    image = Image.fromarray(np.array([[False, True]]))

    assert pixels(image)[0, :, 0].tolist() == [0, 255]
