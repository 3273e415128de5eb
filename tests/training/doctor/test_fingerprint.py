"""Rules of training.doctor.fingerprint."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from tests.training.doctor.drawings import prints_of, scene
from training.doctor.fingerprint import colour_cells, perceptual_hash


@pytest.mark.parametrize("seed", range(5))
def test_the_hash_is_that_of_the_textbook(seed: int) -> None:
    """Bits are the low frequencies of scipy's DCT above their median, row by row."""
    image = scene(seed)
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    low_KK = dctn(grey, type=2)[:8, :8]
    bits = "".join("1" if value > np.median(low_KK) else "0" for value in low_KK.flat)

    assert perceptual_hash(image) == int(bits, 2)


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_rounding_does_not_decide_the_hash_of_one_colour(level: int) -> None:
    """All frequencies but the mean are zero, so one bit is set at most."""
    expected = 0 if level == 0 else 1 << 63

    assert perceptual_hash(Image.new("RGB", (50, 40), (level, level, level))) == expected


def test_cells_hold_the_colours_of_a_four_by_four_grid() -> None:
    """White is luma 255 and neutral chroma; the upper left cell comes first."""
    image = Image.new("RGB", (16, 16), (255, 255, 255))
    image.paste((0, 0, 0), (0, 0, 4, 4))

    cells = np.frombuffer(colour_cells(image), np.uint8).reshape(16, 3)

    assert cells[0].tolist() == [0, 128, 128]
    assert cells[1:].tolist() == [[255, 128, 128]] * 15


def test_distinct_rows_come_with_their_places() -> None:
    """Equal fingerprints share a place; the first of them stands for all."""
    prints = prints_of([scene(1), scene(2), scene(1)])

    first, inverse = prints.distinct()

    assert sorted(first.tolist()) == [0, 1]
    assert first[inverse].tolist() == [0, 1, 0]


def test_no_pictures_have_no_fingerprints() -> None:
    """An empty set is no error."""
    first, inverse = prints_of([scene(1)]).rows(np.empty(0, np.int64)).distinct()

    assert (len(first), len(inverse)) == (0, 0)
