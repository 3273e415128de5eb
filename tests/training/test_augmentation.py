"""Rules of the random changes of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ConfigError
from core.types import PixelArray
from training.augmentation import AugmentationConfig, augment, crop_box, with_background
from training.randomness import stream

EVERYTHING = AugmentationConfig(
    crop_scale=(0.5, 1.0),
    flip=0.5,
    rotate_degrees=20,
    shear_degrees=10,
    translate=0.1,
    zoom=0.2,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
    background=0.5,
)


def picture(side: int = 20) -> PixelArray:
    """Return a picture without symmetry."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, size=(side, side, 3), dtype=np.uint8)


def changed(config: AugmentationConfig, number: int = 0, *, size: int = 16) -> PixelArray:
    """Augment the picture with the generator of a number."""
    return augment(picture(), stream("test", number), config, size=size)


def test_equal_positions_give_equal_pictures() -> None:
    """Trap 14: the generator of the position decides, nothing else."""
    assert np.array_equal(changed(EVERYTHING, 3), changed(EVERYTHING, 3))
    assert not np.array_equal(changed(EVERYTHING, 3), changed(EVERYTHING, 4))


def test_the_result_is_a_square_of_the_size_asked_for() -> None:
    """uint8 in, uint8 out."""
    for number in range(20):
        pixels = changed(EVERYTHING, number, size=11)

        assert pixels.shape == (11, 11, 3)
        assert pixels.dtype == np.uint8


def test_switched_off_it_keeps_a_picture_of_the_right_size() -> None:
    """Without augmentation the pixels are those of serving."""
    off = AugmentationConfig(enabled=False, flip=1.0)

    assert np.array_equal(changed(off, size=20), picture())


def test_a_flip_mirrors_left_and_right() -> None:
    """With the whole picture as crop, a certain flip is the mirror image."""
    config = AugmentationConfig(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=1.0)

    assert np.array_equal(changed(config, size=20), picture()[:, ::-1])


def test_no_flip_by_default() -> None:
    """Trap 20: captions say left and right."""
    config = AugmentationConfig(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0))

    assert all(np.array_equal(changed(config, n, size=20), picture()) for n in range(20))


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


def test_only_white_becomes_background() -> None:
    """White takes the colour, a dark pixel stays, a grey near white is blended."""
    pixels = np.array([[[255, 255, 255], [10, 20, 30], [235, 235, 235]]], np.uint8)

    result = with_background(pixels, np.array([100, 0, 0]))

    assert result.tolist() == [[[100, 0, 0], [10, 20, 30], [168, 118, 118]]]


def test_a_rotation_keeps_the_centre() -> None:
    """The middle of the picture stays while its corners move."""
    pixels = np.full((21, 21, 3), 255, np.uint8)
    pixels[8:13, 8:13] = 0
    config = AugmentationConfig(
        crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), rotate_degrees=45, shear_degrees=10, zoom=0.2
    )

    for number in range(10):
        result = augment(pixels, stream("turn", number), config, size=21)
        assert result[10, 10].tolist() == [0, 0, 0]
        assert result[0, 0].tolist() == [255, 255, 255]


def test_a_shift_moves_the_picture() -> None:
    """With translate 0.25 the middle of mass moves by at most a quarter of the side."""
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[18:22, 18:22] = 0
    config = AugmentationConfig(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), translate=0.25)

    centres = []
    for number in range(30):
        result = augment(pixels, stream("shift", number), config, size=40)
        centres.append(np.argwhere(result[..., 0] < 128).mean(axis=0) - 19.5)

    assert np.abs(centres).max() <= 10.5
    assert np.abs(centres).max() > 6


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("crop_scale", (0.9,), r"\[low, high\]"),
        ("crop_scale", (0.9, 0.5), r"\[low, high\]"),
        ("crop_scale", (0.5, 1.5), "between 0 and 1"),
        ("crop_ratio", (0.0, 1.0), "above 0"),
        ("flip", 1.5, "between 0 and 1"),
        ("rotate_degrees", -1.0, "between 0 and 180"),
        ("zoom", 1.0, "between 0 and 0.9"),
    ],
)
def test_amounts_outside_their_range_are_refused(name: str, value: object, message: str) -> None:
    """The message names the setting and its limits."""
    with pytest.raises(ConfigError, match=f"data.augmentation.{name}.*{message}"):
        AugmentationConfig(**{name: value})  # type: ignore[arg-type]  # values of several types
