"""Random changes of a picture: uint8 in, uint8 out, drawn from a generator of its own.

# H = height, W = width, S = side of the model's square
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import ConfigError
from core.types import PixelArray
from encoders.preprocessing import Interpolation
from training.data.affine import Affine
from training.data.colour_changes import (
    in_greyscale,
    with_background,
    with_brightness,
    with_contrast,
    with_hue,
    with_pca_colour,
    with_saturation,
)
from training.data.crops import crop_box, resized_crop
from training.data.erasing import erased
from training.ranges import check_positive, check_range

_PROBABILITIES = ("flip", "colour", "greyscale", "erase", "background")
_FRACTIONS = ("translate", "zoom", "brightness", "contrast", "saturation")


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
    colour: float = 1.0
    """Probability that brightness, contrast, saturation and hue are changed at all."""
    brightness: float = 0.0
    """Greatest change of brightness either way, as a fraction."""
    contrast: float = 0.0
    """Greatest change of contrast either way, as a fraction."""
    saturation: float = 0.0
    """Greatest change of saturation either way, as a fraction."""
    hue: float = 0.0
    """Greatest turn of the hue either way, as a fraction of the colour circle; off, because
    captions name colours."""
    greyscale: float = 0.0
    """Probability that the picture loses its colours; off for the same reason."""
    pca_colour: float = 0.0
    """Standard deviation of a shift along the main axes of colour; AlexNet's is 0.1."""
    erase: float = 0.0
    """Probability that a rectangle of 2 to 33 % of the picture becomes noise."""
    background: float = 0.0
    """Probability that near-white pixels become one random colour: for cut-out pictures."""

    def __post_init__(self) -> None:
        """Refuse probabilities and amounts outside their range."""
        _check_interval("crop_scale", self.crop_scale, high=1.0)
        _check_interval("crop_ratio", self.crop_ratio, high=10.0)
        for name in _PROBABILITIES:
            check_range(f"data.augmentation.{name}", getattr(self, name), low=0, high=1)
        for name in _FRACTIONS:
            check_range(f"data.augmentation.{name}", getattr(self, name), low=0, high=0.9)
        check_range("data.augmentation.hue", self.hue, low=0, high=0.5)
        check_range("data.augmentation.pca_colour", self.pca_colour, low=0, high=1)
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
    interpolation: Interpolation = "bicubic",
) -> PixelArray:
    """Return a changed picture, (S, S, 3) with S = ``size``; it may share memory with the input.

    The generator is used in a fixed order, so equal generators give equal pictures. With
    ``enabled`` off the picture is only brought to ``size``. ``interpolation`` is that of the
    model's preprocessing.
    """
    height, width = pixels_HW3.shape[:2]
    if not config.enabled:
        whole = (0, 0, width, height)
        return resized_crop(pixels_HW3, whole, size=size, interpolation=interpolation)
    if config.background and rng.random() < config.background:
        pixels_HW3 = with_background(pixels_HW3, rng.integers(0, 256, size=3))
    if config.rotate_degrees or config.shear_degrees or config.translate or config.zoom:
        change = Affine.drawn(
            rng,
            rotate_degrees=config.rotate_degrees,
            shear_degrees=config.shear_degrees,
            translate=config.translate,
            zoom=config.zoom,
        )
        pixels_HW3 = change.applied(pixels_HW3, interpolation=interpolation)
    box = crop_box((width, height), rng, scale=config.crop_scale, ratio=config.crop_ratio)
    pixels_SS3 = resized_crop(pixels_HW3, box, size=size, interpolation=interpolation)
    if config.flip and rng.random() < config.flip:
        pixels_SS3 = pixels_SS3[:, ::-1]
    pixels_SS3 = _with_colours(pixels_SS3, rng, config)
    if config.erase and rng.random() < config.erase:
        pixels_SS3 = erased(pixels_SS3, rng)
    return pixels_SS3


def _with_colours(
    pixels_SS3: PixelArray, rng: np.random.Generator, config: AugmentationConfig
) -> PixelArray:
    """Change the colours of the crop: there are fewer pixels than in the picture."""
    changes = (
        (config.brightness, 1.0, with_brightness),
        (config.contrast, 1.0, with_contrast),
        (config.saturation, 1.0, with_saturation),
        (config.hue, 0.0, with_hue),
    )
    if any(amount for amount, _, _ in changes) and rng.random() < config.colour:
        for amount, middle, change in changes:
            if amount:
                pixels_SS3 = change(pixels_SS3, middle + rng.uniform(-amount, amount))
    if config.greyscale and rng.random() < config.greyscale:
        pixels_SS3 = in_greyscale(pixels_SS3)
    if config.pca_colour:
        pixels_SS3 = with_pca_colour(pixels_SS3, rng.normal(0.0, config.pca_colour, size=3))
    return pixels_SS3
