"""From a decoded picture to the pixels a model takes: Pillow and NumPy, for every use.

# N = images, S = image size in pixels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Interpolation = Literal["bicubic", "bilinear", "nearest"]
ResizeMode = Literal["shortest", "longest", "squash"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pictures are resized, cropped and normalised; part of the encoder id."""

    image_size: int = 224
    """Side S of the square the model takes, in pixels."""
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    """Mean of the RGB channels in [0, 1]; the default is OpenAI CLIP's."""
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    """Standard deviation of the RGB channels in [0, 1]; the default is OpenAI CLIP's."""
    interpolation: Interpolation = "bicubic"
    """Resampling filter, antialiased."""
    resize_mode: ResizeMode = "shortest"
    """``shortest``: shorter side to S, centre crop. ``longest``: fit and pad. ``squash``: stretch."""
    fill_color: int = 0
    """Grey level of the padding in mode ``longest``."""
