"""Rules of rotation, shear, zoom and shift."""

from __future__ import annotations

import numpy as np

from core.types import PixelArray
from training.data.affine import Affine


def picture(side: int = 8) -> PixelArray:
    """Return a picture without symmetry."""
    return np.random.default_rng(0).integers(0, 256, size=(side, side, 3), dtype=np.uint8)


def changed(pixels: PixelArray, **amounts: float) -> PixelArray:
    """Apply a change without blending neighbours."""
    return Affine(**amounts).applied(pixels, interpolation="nearest")


def test_a_quarter_turn_is_clockwise() -> None:
    """An angle of 90 degrees takes the top row to the right column."""
    turned = changed(picture(), angle=np.pi / 2)

    assert np.array_equal(turned, np.rot90(picture(), k=-1))


def test_no_change_keeps_every_pixel() -> None:
    """Whatever the filter, the identity is the identity."""
    for interpolation in ("bicubic", "bilinear", "nearest"):
        assert np.array_equal(Affine().applied(picture(), interpolation=interpolation), picture())


def test_a_zoom_by_two_shows_the_middle_twice_as_large() -> None:
    """Each pixel of the middle quarter covers two by two."""
    zoomed = changed(picture(), zoom=2.0)

    assert np.array_equal(zoomed, picture()[2:6, 2:6].repeat(2, axis=0).repeat(2, axis=1))


def test_a_shift_is_to_the_right_and_down_over_the_corner_colour() -> None:
    """A quarter of 8 pixels is 2 columns, an eighth is 1 row."""
    moved = changed(picture(), shift_x=0.25, shift_y=0.125)

    assert np.array_equal(moved[1:, 2:], picture()[:-1, :-2])
    assert (moved[0] == picture()[0, 0]).all()
    assert (moved[:, :2] == picture()[0, 0]).all()


def test_a_shear_moves_rows_by_their_distance_from_the_middle() -> None:
    """With 1 pixel per row, the row half a pixel below the centre moves by half a pixel."""
    sheared = changed(picture(9), shear=1.0)

    # Row 4 is the middle of nine and stays; row 6 lies two below and moves right by two.
    assert np.array_equal(sheared[4], picture(9)[4])
    assert np.array_equal(sheared[6, 2:], picture(9)[6, :-2])
    assert np.array_equal(sheared[2, :-2], picture(9)[2, 2:])


def test_draws_fill_their_ranges() -> None:
    """Over many draws every amount comes close to both of its ends and never passes them."""
    rng = np.random.default_rng(0)
    draws = [
        Affine.drawn(rng, rotate_degrees=10, shear_degrees=45, translate=0.2, zoom=0.5)
        for _ in range(300)
    ]

    for values, low, high in (
        ([draw.angle for draw in draws], -np.radians(10), np.radians(10)),
        ([draw.shear for draw in draws], -1.0, 1.0),
        ([draw.shift_x for draw in draws], -0.2, 0.2),
        ([draw.shift_y for draw in draws], -0.2, 0.2),
        ([draw.zoom for draw in draws], 0.5, 1.5),
    ):
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high
