"""Random changes of colour: uint8 in, uint8 out, drawn from the generator of the sample.

# H = height, W = width, L = levels, P = pixels that are nearly white
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from core.types import PixelArray

COLOUR_VARIANCES = (0.2862, 0.0219, 0.0052)
"""Eigenvalues of the covariance of RGB, levels in [0, 1], over the 391 pictures of
``examples/gallery``; a test computes them again. Nearly all colour varies in brightness."""
COLOUR_AXES = (
    (0.5438, 0.5688, 0.6171),
    (0.7215, 0.0587, -0.6899),
    (0.4287, -0.8204, 0.3784),
)
"""The unit eigenvectors: brightness, red against blue, green against magenta."""


def with_brightness(pixels_HW3: PixelArray, factor: float) -> PixelArray:
    """Scale all levels: 0 is black, 1 changes nothing."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(pixels_HW3)).enhance(factor))


def with_contrast(pixels_HW3: PixelArray, factor: float) -> PixelArray:
    """Scale the distance of all levels from the mean grey: 0 is grey, 1 changes nothing."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(pixels_HW3)).enhance(factor))


def with_saturation(pixels_HW3: PixelArray, factor: float) -> PixelArray:
    """Scale the distance of each pixel from its grey: 0 is greyscale, 1 changes nothing."""
    return np.asarray(ImageEnhance.Color(Image.fromarray(pixels_HW3)).enhance(factor))


def with_hue(pixels_HW3: PixelArray, turn: float) -> PixelArray:
    """Turn the hue of every pixel by a fraction of the colour circle, from -0.5 to 0.5."""
    hue, saturation, value = Image.fromarray(pixels_HW3).convert("HSV").split()
    # 256 levels of hue are the whole circle.
    shift = int(turn * 255)
    turned = hue.point([(level + shift) % 256 for level in range(256)])
    return np.asarray(Image.merge("HSV", (turned, saturation, value)).convert("RGB"))


def in_greyscale(pixels_HW3: PixelArray) -> PixelArray:
    """Return the luma of a picture in all three channels (ITU-R 601, as Pillow has it)."""
    return np.asarray(Image.fromarray(pixels_HW3).convert("L").convert("RGB"))


def with_pca_colour(pixels_HW3: PixelArray, amounts_3: NDArray[np.float64]) -> PixelArray:
    """Add one colour to all pixels: sum over axes i of amount_i * variance_i * axis_i.

    Source: Krizhevsky, Sutskever, Hinton 2012, "ImageNet Classification with Deep Convolutional
    Neural Networks", section 4.1, who draw the amounts from a normal distribution of 0.1.
    """
    shift_3 = 255.0 * (amounts_3 * np.array(COLOUR_VARIANCES)) @ np.array(COLOUR_AXES)
    # 256 levels exist, so a table per channel is the arithmetic on every pixel.
    levels_L3 = np.arange(256.0)[:, None] + shift_3
    table_L3 = np.clip(np.rint(levels_L3), 0, 255).astype(np.uint8)
    return np.stack([table_L3[pixels_HW3[..., c], c] for c in range(3)], axis=-1)


def with_background(pixels_HW3: PixelArray, colour_3: NDArray[np.int64]) -> PixelArray:
    """Blend near-white pixels towards one colour: white becomes it, levels below 215 stay."""
    # Whiteness depends on the darkest channel alone, which has 256 levels.
    whiteness_L = np.clip((np.arange(256, dtype=np.float32) - 215.0) / 40.0, 0.0, 1.0)
    darkest_HW = np.minimum(np.minimum(pixels_HW3[..., 0], pixels_HW3[..., 1]), pixels_HW3[..., 2])
    blended_HW3 = pixels_HW3.copy()
    whitish_HW = darkest_HW > 215  # noqa: PLR2004 - the level named above
    whitish_P3 = pixels_HW3[whitish_HW].astype(np.float32)
    whiteness_P1 = whiteness_L[darkest_HW[whitish_HW]][:, None]
    towards_P3 = whitish_P3 + whiteness_P1 * (colour_3.astype(np.float32) - whitish_P3)
    blended_HW3[whitish_HW] = np.rint(towards_P3).astype(np.uint8)
    return blended_HW3
