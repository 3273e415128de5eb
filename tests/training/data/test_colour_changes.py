"""Rules of changes of colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import functional as peer

from core.types import PixelArray
from training.data.colour_changes import (
    COLOUR_AXES,
    COLOUR_VARIANCES,
    in_greyscale,
    with_background,
    with_brightness,
    with_contrast,
    with_hue,
    with_pca_colour,
    with_saturation,
)

GALLERY = Path(__file__).parents[3] / "examples" / "gallery" / "images"


def picture(side: int = 24) -> PixelArray:
    """Return random colours."""
    return np.random.default_rng(0).integers(0, 256, size=(side, side, 3), dtype=np.uint8)


def test_each_change_is_that_of_torchvision() -> None:
    """Byte for byte on Pillow pictures, for factors and turns on both sides of no change."""
    image = Image.fromarray(picture())
    for factor in (0.0, 0.6, 1.0, 1.4):
        for ours, theirs in (
            (with_brightness, peer.adjust_brightness),
            (with_contrast, peer.adjust_contrast),
            (with_saturation, peer.adjust_saturation),
        ):
            assert np.array_equal(ours(picture(), factor), np.asarray(theirs(image, factor)))
    for turn in (-0.5, -0.1, 0.0, 0.08, 0.5):
        assert np.array_equal(with_hue(picture(), turn), np.asarray(peer.adjust_hue(image, turn)))
    assert np.array_equal(in_greyscale(picture()), np.asarray(peer.to_grayscale(image, 3)))


def test_a_third_of_a_turn_makes_red_green() -> None:
    """85 of 256 hues lie between red and green; greys have no hue and stay."""
    pixels = np.array([[[255, 0, 0], [90, 90, 90]]], np.uint8)

    assert with_hue(pixels, 1 / 3).tolist() == [[[0, 255, 0], [90, 90, 90]]]


def test_pca_colour_worked_out_by_hand() -> None:
    """One unit of the first axis adds 255 * 0.2862 * (0.5438, 0.5688, 0.6171), clipped at 255."""
    pixels = np.array([[[0, 100, 240]]], np.uint8)

    # 39.69, 41.51 and 45.04
    assert with_pca_colour(pixels, np.array([1.0, 0.0, 0.0])).tolist() == [[[40, 142, 255]]]
    # 255 * 0.0219 * (0.7215, 0.0587, -0.6899) = 4.03, 0.33, -3.85
    assert with_pca_colour(pixels, np.array([0.0, 1.0, 0.0])).tolist() == [[[4, 100, 236]]]


@pytest.mark.slow
def test_the_axes_are_those_of_the_example_gallery() -> None:
    """The constants are the eigenvectors and eigenvalues of the RGB covariance, to 4 digits."""
    rows = []
    for path in sorted(GALLERY.glob("*.jpg")):
        with Image.open(path) as image:
            small = image.convert("RGB").resize((64, 64), Image.Resampling.BOX)
        rows.append(np.asarray(small).reshape(-1, 3) / 255.0)
    variances, axes = np.linalg.eigh(np.cov(np.concatenate(rows).T))

    assert variances[::-1] == pytest.approx(COLOUR_VARIANCES, abs=1e-4)
    for found, axis in zip(axes.T[::-1], np.array(COLOUR_AXES), strict=True):
        assert abs(found @ axis) == pytest.approx(1.0, abs=1e-4)


def test_only_white_becomes_background() -> None:
    """White takes the colour, a dark pixel stays, a grey near white is blended."""
    pixels = np.array([[[255, 255, 255], [10, 20, 30], [235, 235, 235]]], np.uint8)

    result = with_background(pixels, np.array([100, 0, 0]))

    assert result.tolist() == [[[100, 0, 0], [10, 20, 30], [168, 118, 118]]]
