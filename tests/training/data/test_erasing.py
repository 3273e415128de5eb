"""Rules of random erasing."""

from __future__ import annotations

import numpy as np

from training.data.erasing import erased
from training.randomness import stream


def test_one_rectangle_becomes_noise_and_the_rest_stays() -> None:
    """The changed pixels lie in one box of 2 to 33 % of the picture."""
    pixels = np.full((60, 60, 3), 7, np.uint8)
    for number in range(50):
        changed = (erased(pixels, stream("erase", number)) != 7).any(axis=2)

        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        box = changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        # A random pixel is all sevens once in 16 million.
        assert box.all()
        assert 0.015 < box.size / 3600 < 0.35
    assert (pixels == 7).all()


def test_the_noise_is_uniform() -> None:
    """Levels from 0 to 255 with the mean 127.5 of a uniform draw."""
    pixels = np.full((200, 200, 3), 7, np.uint8)
    noise = erased(pixels, stream("erase", 1))
    noise = noise[(noise != 7).any(axis=2)]

    assert noise.min() == 0
    assert noise.max() == 255
    assert abs(noise.mean() - 127.5) < 5
