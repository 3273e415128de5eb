"""Random erasing: a rectangle of noise, so that no single part of a picture decides.

# H = height, W = width
"""

from __future__ import annotations

import numpy as np

from core.types import PixelArray
from training.data.crops import crop_box

AREA = (0.02, 1 / 3)
"""Least and greatest part of the picture that is erased."""
ASPECT = (0.3, 1 / 0.3)
"""Least and greatest width over height of the rectangle."""


def erased(pixels_HW3: PixelArray, rng: np.random.Generator) -> PixelArray:
    """Return a copy with one random rectangle of random levels.

    Source: Zhong et al. 2017, arXiv:1708.04896, algorithm 1, with their s_l, s_h and r_1.
    """
    height, width = pixels_HW3.shape[:2]
    left, top, right, bottom = crop_box((width, height), rng, scale=AREA, ratio=ASPECT)
    copy_HW3 = pixels_HW3.copy()
    noise_shape = (bottom - top, right - left, 3)
    copy_HW3[top:bottom, left:right] = rng.integers(0, 256, size=noise_shape, dtype=np.uint8)
    return copy_HW3
