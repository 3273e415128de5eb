"""Augmented views of a rendered picture: background, place, size, light.

# S = side of a view in pixels
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from core.types import PixelArray

WHITE = (255, 255, 255)


def plain_view(image: Image.Image, side: int) -> PixelArray:
    """Return the picture on white, fitted and padded to (S, S, 3), without augmentation."""
    return np.asarray(_place(image, side, scale=1.0, x=0.5, y=0.5, background=WHITE))


def augmented_view(image: Image.Image, side: int, rng: np.random.Generator) -> PixelArray:
    """Return the picture at a random place, size and light on a random background, (S, S, 3)."""
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        image = ImageOps.mirror(image)
    image = image.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BILINEAR, expand=True)
    view = _place(
        image,
        side,
        scale=float(rng.uniform(0.6, 1.1)),
        x=float(rng.random()),
        y=float(rng.random()),
        background=_random_background(rng),
    )
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = enhance(view).enhance(float(rng.uniform(0.7, 1.3)))
    return np.asarray(view)


def _place(
    image: Image.Image,
    side: int,
    *,
    scale: float,
    x: float,
    y: float,
    background: tuple[int, int, int],
) -> Image.Image:
    ratio = side * scale / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    fitted = image.resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (side, side), background)
    canvas.paste(fitted, (round(x * (side - size[0])), round(y * (side - size[1]))), fitted)
    return canvas


def _random_background(rng: np.random.Generator) -> tuple[int, int, int]:
    if rng.random() < 0.4:  # noqa: PLR2004 - the usual background of a cut-out
        return WHITE
    low = 150 if rng.random() < 0.6 else 0  # noqa: PLR2004 - mostly light colours
    red, green, blue = rng.integers(low, 256, 3)
    return int(red), int(green), int(blue)
