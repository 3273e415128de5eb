"""Random changes of a picture: uint8 in, uint8 out, drawn from a generator of its own.

# H = height, W = width, S = side of the model's square
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError
from training.ranges import check_positive, check_range


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
