"""Rules of the random changes of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ConfigError
from core.prefetch import prefetched
from core.types import PixelArray
from training.data.augmentation import AugmentationConfig, augment
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
    hue=0.1,
    colour=0.8,
    greyscale=0.2,
    pca_colour=0.1,
    erase=0.5,
    background=0.5,
)
WHOLE = {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0)}
"""The crop is the whole picture."""


def picture(side: int = 20) -> PixelArray:
    """Return a picture without symmetry."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, size=(side, side, 3), dtype=np.uint8)


def changed(config: AugmentationConfig, number: int = 0, *, size: int = 16) -> PixelArray:
    """Augment the picture with the generator of a number."""
    return augment(picture(), stream("test", number), config, size=size, interpolation="bicubic")


def test_equal_positions_give_equal_pictures() -> None:
    """Trap 14: the generator of the position decides, nothing else."""
    assert np.array_equal(changed(EVERYTHING, 3), changed(EVERYTHING, 3))
    assert not np.array_equal(changed(EVERYTHING, 3), changed(EVERYTHING, 4))


def test_the_number_of_workers_changes_nothing() -> None:
    """Trap 14: thirty pictures are the same from no worker, one or three, in another order too."""
    numbers = list(range(30))
    expected = [changed(EVERYTHING, number) for number in numbers]
    for workers in (0, 1, 3):
        found = list(
            prefetched(lambda number: changed(EVERYTHING, number), iter(numbers), workers=workers)
        )
        assert all(map(np.array_equal, found, expected))
    backwards = [changed(EVERYTHING, number) for number in reversed(numbers)]
    assert all(map(np.array_equal, reversed(backwards), expected))


def test_each_option_changes_the_picture_and_nothing_does_by_default() -> None:
    """No option is without effect; with the whole picture as crop the default has none."""
    assert np.array_equal(changed(AugmentationConfig(**WHOLE), size=20), picture())
    for option, value in {
        "flip": 1.0,
        "rotate_degrees": 30.0,
        "shear_degrees": 20.0,
        "translate": 0.2,
        "zoom": 0.3,
        "brightness": 0.3,
        "contrast": 0.3,
        "saturation": 0.3,
        "hue": 0.2,
        "greyscale": 1.0,
        "pca_colour": 0.3,
        "erase": 1.0,
        "background": 1.0,
    }.items():
        config = AugmentationConfig(**WHOLE, **{option: value})
        assert not np.array_equal(changed(config, size=20), picture()), option


def test_colour_is_the_probability_of_the_jitter() -> None:
    """At 0 nothing is jittered, at 0.5 about half of the pictures are."""
    off = AugmentationConfig(**WHOLE, brightness=0.5, colour=0.0)
    half = AugmentationConfig(**WHOLE, brightness=0.5, colour=0.5)

    assert all(np.array_equal(changed(off, n, size=20), picture()) for n in range(20))
    same = sum(np.array_equal(changed(half, n, size=20), picture()) for n in range(200))
    assert 70 < same < 130


def test_the_filter_is_the_one_asked_for() -> None:
    """With the nearest neighbour no new level appears."""
    pixels = (picture() > 127).astype(np.uint8) * 255
    config = AugmentationConfig(rotate_degrees=20)

    near = augment(pixels, stream("n", 0), config, size=11, interpolation="nearest")
    smooth = augment(pixels, stream("n", 0), config, size=11, interpolation="bicubic")

    assert set(np.unique(near)) <= {0, 255}
    assert len(np.unique(smooth)) > 10


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


def test_a_rotation_keeps_the_centre() -> None:
    """The middle of the picture stays while its corners move."""
    pixels = np.full((21, 21, 3), 255, np.uint8)
    pixels[8:13, 8:13] = 0
    config = AugmentationConfig(
        crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), rotate_degrees=45, shear_degrees=10, zoom=0.2
    )

    for number in range(10):
        result = augment(pixels, stream("turn", number), config, size=21, interpolation="bicubic")
        assert result[10, 10].tolist() == [0, 0, 0]
        assert result[0, 0].tolist() == [255, 255, 255]


def test_a_shift_moves_the_picture() -> None:
    """With translate 0.25 the middle of mass moves by at most a quarter of the side."""
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[18:22, 18:22] = 0
    config = AugmentationConfig(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), translate=0.25)

    centres = []
    for number in range(30):
        result = augment(pixels, stream("shift", number), config, size=40, interpolation="bicubic")
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
        ("hue", 0.6, "between 0 and 0.5"),
        ("pca_colour", -0.1, "between 0 and 1"),
        ("greyscale", 2.0, "between 0 and 1"),
        ("erase", -1.0, "between 0 and 1"),
        ("colour", 1.5, "between 0 and 1"),
    ],
)
def test_amounts_outside_their_range_are_refused(name: str, value: object, message: str) -> None:
    """The message names the setting and its limits."""
    with pytest.raises(ConfigError, match=f"data.augmentation.{name}.*{message}"):
        AugmentationConfig(**{name: value})  # type: ignore[arg-type]  # values of several types
