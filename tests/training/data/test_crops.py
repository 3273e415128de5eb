"""Rules of crops: where they lie, and what resizing them gives."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms.functional import InterpolationMode
from torchvision.transforms.functional import resized_crop as peer

from core.types import PixelArray
from encoders.preprocessing import Interpolation
from training.data.crops import crop_box, resized_crop
from training.randomness import stream


def photo_like(width: int, height: int) -> PixelArray:
    """Return smooth random colours, as photographs are smooth."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def test_crops_have_the_area_and_shape_asked_for() -> None:
    """Over many draws area and aspect stay inside their intervals and fill them."""
    areas, aspects = [], []
    for number in range(300):
        left, top, right, bottom = crop_box(
            (200, 200), stream("crop", number), scale=(0.5, 0.8), ratio=(0.8, 1.25)
        )
        assert 0 <= left < right <= 200
        assert 0 <= top < bottom <= 200
        areas.append((right - left) * (bottom - top) / 40_000)
        aspects.append((right - left) / (bottom - top))

    assert 0.49 < min(areas) < 0.52
    assert 0.78 < max(areas) < 0.81
    assert 0.79 < min(aspects) < 0.83
    assert 1.20 < max(aspects) < 1.27


def test_a_crop_that_never_fits_is_centred() -> None:
    """A very wide picture cannot hold a crop of its whole area at aspect one."""
    box = crop_box((100, 10), stream("crop", 0), scale=(1.0, 1.0), ratio=(1.0, 1.0))

    assert box == (45, 0, 55, 10)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize("size", [32, 64, 120])
def test_resizing_is_that_of_torchvision_on_pillow(size: int, interpolation: Interpolation) -> None:
    """Up and down, no level differs by more than two of 255, and 98 % do not differ."""
    pixels, (left, top, right, bottom) = photo_like(97, 83), (5, 7, 91, 70)

    ours = resized_crop(pixels, (left, top, right, bottom), size=size, interpolation=interpolation)
    image = peer(
        Image.fromarray(pixels),
        top,
        left,
        bottom - top,
        right - left,
        [size, size],
        InterpolationMode(interpolation),
    )

    difference = np.abs(ours.astype(np.int64) - np.asarray(image).astype(np.int64))
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.02


def test_a_crop_of_the_right_size_is_not_touched() -> None:
    """There is nothing to resize, so the pixels are those of the picture."""
    pixels = photo_like(20, 20)

    cut = resized_crop(pixels, (2, 3, 18, 19), size=16, interpolation="bicubic")

    assert np.array_equal(cut, pixels[3:19, 2:18])


def test_a_picture_that_may_not_be_written_is_read() -> None:
    """Pictures of a cache on disk are mapped read-only."""
    pixels = photo_like(20, 20)
    pixels.flags.writeable = False

    assert resized_crop(pixels, (0, 0, 20, 20), size=8, interpolation="bicubic").shape == (8, 8, 3)
