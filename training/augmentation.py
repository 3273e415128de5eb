"""Random changes of a picture: uint8 in, uint8 out, drawn from a generator of its own.

# H = height, W = width, S = side of the model's square
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from core.errors import ConfigError
from core.types import PixelArray
from training.ranges import check_positive, check_range

_CROP_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig:
    """Which changes are drawn; everything but the crop is off by default."""

    enabled: bool = True
    """Off: every picture is prepared exactly as for serving."""
    crop_scale: tuple[float, ...] = (0.9, 1.0)
    """Least and greatest area of the random crop over that of the picture; open_clip's values."""
    crop_ratio: tuple[float, ...] = (0.75, 1.3333333333333333)
    """Least and greatest width over height of the crop; those of Inception, as in open_clip."""
    flip: float = 0.0
    """Probability of a left-right flip; off, because captions say left and right."""
    rotate_degrees: float = 0.0
    """Greatest rotation either way."""
    shear_degrees: float = 0.0
    """Greatest horizontal shear either way."""
    translate: float = 0.0
    """Greatest shift either way, as a fraction of the side."""
    zoom: float = 0.0
    """Greatest change of size either way, as a fraction: 0.2 draws factors from 0.8 to 1.2."""
    brightness: float = 0.0
    """Greatest change of brightness either way, as a fraction."""
    contrast: float = 0.0
    """Greatest change of contrast either way, as a fraction."""
    saturation: float = 0.0
    """Greatest change of saturation either way, as a fraction."""
    background: float = 0.0
    """Probability that near-white pixels become one random colour: for cut-out pictures."""

    def __post_init__(self) -> None:
        """Refuse probabilities and amounts outside their range."""
        _check_interval("crop_scale", self.crop_scale, high=1.0)
        _check_interval("crop_ratio", self.crop_ratio, high=10.0)
        for name in ("flip", "background"):
            check_range(f"data.augmentation.{name}", getattr(self, name), low=0, high=1)
        for name in ("translate", "zoom", "brightness", "contrast", "saturation"):
            check_range(f"data.augmentation.{name}", getattr(self, name), low=0, high=0.9)
        check_range("data.augmentation.rotate_degrees", self.rotate_degrees, low=0, high=180)
        check_range("data.augmentation.shear_degrees", self.shear_degrees, low=0, high=60)


def _check_interval(name: str, interval: tuple[float, ...], *, high: float) -> None:
    if len(interval) != 2 or interval[0] > interval[1]:  # noqa: PLR2004 - a low and a high end
        raise ConfigError(f"data.augmentation.{name} = {list(interval)}: expected [low, high]")
    for value in interval:
        check_positive(f"data.augmentation.{name}", value)
        check_range(f"data.augmentation.{name}", value, low=0, high=high)


def augment(
    pixels_HW3: PixelArray,
    rng: np.random.Generator,
    config: AugmentationConfig,
    *,
    size: int,
) -> PixelArray:
    """Return a changed copy of a decoded picture, (S, S, 3) with S = ``size``.

    The generator is used in a fixed order, so equal generators give equal pictures. With
    ``enabled`` off the picture is only brought to ``size``.
    """
    if not config.enabled:
        return np.asarray(_resized(Image.fromarray(pixels_HW3), None, size))
    if config.background and rng.random() < config.background:
        pixels_HW3 = with_background(pixels_HW3, rng.integers(0, 256, size=3))
    image = Image.fromarray(pixels_HW3)
    image = _with_colours(image, rng, config)
    image = _with_affine(image, rng, config)
    box = crop_box(image.size, rng, scale=config.crop_scale, ratio=config.crop_ratio)
    image = _resized(image, box, size)
    if config.flip and rng.random() < config.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def crop_box(
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    scale: tuple[float, ...],
    ratio: tuple[float, ...],
) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a random crop of a picture of (width, height).

    The area is uniform in ``scale`` and the aspect log-uniform in ``ratio``; after ten draws that
    do not fit, the largest centred crop of an allowed aspect is taken.

    Source: Szegedy et al. 2015, arXiv:1409.4842, section 6; the rule of ten as in torchvision.
    """
    width, height = size
    for _ in range(_CROP_TRIES):
        area = width * height * rng.uniform(scale[0], scale[1])
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        crop_width, crop_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            left = int(rng.integers(0, width - crop_width + 1))
            top = int(rng.integers(0, height - crop_height + 1))
            return left, top, left + crop_width, top + crop_height
    aspect = min(max(width / height, ratio[0]), ratio[1])
    crop_width, crop_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def with_background(pixels_HW3: PixelArray, colour_3: NDArray[np.int64]) -> PixelArray:
    """Blend near-white pixels towards one colour: white becomes it, levels below 215 stay."""
    whiteness_HW = np.clip((pixels_HW3.min(axis=2).astype(np.float32) - 215.0) / 40.0, 0.0, 1.0)
    whiteness_HW1 = whiteness_HW[..., None]
    blended_HW3 = pixels_HW3 * (1.0 - whiteness_HW1) + colour_3 * whiteness_HW1
    rounded_HW3: PixelArray = np.rint(blended_HW3).astype(np.uint8)
    return rounded_HW3


def _resized(image: Image.Image, box: tuple[int, int, int, int] | None, size: int) -> Image.Image:
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _with_colours(
    image: Image.Image, rng: np.random.Generator, config: AugmentationConfig
) -> Image.Image:
    changes = (
        (config.brightness, ImageEnhance.Brightness),
        (config.contrast, ImageEnhance.Contrast),
        (config.saturation, ImageEnhance.Color),
    )
    for amount, enhancer in changes:
        if amount:
            image = enhancer(image).enhance(1.0 + rng.uniform(-amount, amount))
    return image


def _with_affine(
    image: Image.Image, rng: np.random.Generator, config: AugmentationConfig
) -> Image.Image:
    """Rotate, shear, zoom and shift about the centre; new ground takes the corner's colour."""
    if not (config.rotate_degrees or config.shear_degrees or config.translate or config.zoom):
        return image
    angle = math.radians(rng.uniform(-1, 1) * config.rotate_degrees)
    shear = math.tan(math.radians(rng.uniform(-1, 1) * config.shear_degrees))
    zoom = 1.0 + rng.uniform(-1, 1) * config.zoom
    shift_x, shift_y = rng.uniform(-1, 1, size=2) * config.translate * image.width
    # Pillow asks where each output pixel comes from, so this is the inverse of the change.
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    a, b = cosine, sine + shear * cosine
    d, e = -sine, cosine - shear * sine
    centre_x, centre_y = image.width / 2, image.height / 2
    c = centre_x - a * (centre_x + shift_x) - b * (centre_y + shift_y)
    f = centre_y - d * (centre_x + shift_x) - e * (centre_y + shift_y)
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        (a, b, c, d, e, f),
        resample=Image.Resampling.BILINEAR,
        fillcolor=image.getpixel((0, 0)),
    )
