"""From image bytes to the pixels a model takes: Pillow and NumPy, for every use.

The pixels are those of open_clip's own evaluation transform, bit for bit, as the tests show, with
two exceptions for pictures of at least twice the model's size, see docs/models.md: only what the
crop keeps of them is resized, which moves few values by one of 255 levels; and a large JPEG is
decoded at a reduced scale of at least twice the model's size, which moves values by 0.3 levels on
average for a third of the time.

# N = images, S = image size in pixels
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from core.errors import ConfigError
from core.types import FloatArray, PixelArray
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits, ImageDecoder, decode_image

Interpolation = Literal["bicubic", "bilinear", "nearest"]
ResizeMode = Literal["shortest", "longest", "squash"]

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}
_MAX_IMAGE_SIZE = 4096
_DRAFT_FACTOR = 2
"""Times the model's size that a reduced scale must keep. At 1 it would save little more (the time
of a photograph is that of its entropy coding, which no scale saves) and fail the fidelity gate."""
_CROPPED_FACTOR = 2
"""Times the model's size from which on only the crop's part of a picture is resized."""
_MAX_RESIZED_PIXELS = 8_000_000
_CHANNELS = 3


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
    """``shortest``: shorter side to S, centre crop; ``longest``: fit, pad; ``squash``: stretch."""
    fill_color: int = 0
    """Grey level of the padding in mode ``longest``."""

    def __post_init__(self) -> None:
        """Refuse what no model can mean.

        Raises:
            ConfigError: a size, a mean or a standard deviation out of range.
        """
        if not 1 <= self.image_size <= _MAX_IMAGE_SIZE:
            raise ConfigError(f"image_size = {self.image_size}: expected 1 to {_MAX_IMAGE_SIZE}")
        if len(self.mean) != _CHANNELS or len(self.std) != _CHANNELS:
            raise ConfigError(f"mean = {self.mean}, std = {self.std}: expected three numbers each")
        if not all(map(math.isfinite, (*self.mean, *self.std))) or min(self.std) <= 0.0:
            raise ConfigError(f"mean = {self.mean}, std = {self.std}: expected finite, std above 0")


def preprocess_bytes(
    data: bytes,
    preprocessing: Preprocessing,
    limits: DecodeLimits = DEFAULT_LIMITS,
    *,
    decode: ImageDecoder = decode_image,
) -> PixelArray:
    """Decode and preprocess the bytes of one picture: uint8 (S, S, 3).

    Raises:
        ImageError: what ``decode_image`` raises.
    """
    image = decode(data, limits, min_side=decoding_side(preprocessing))
    return preprocess(image, preprocessing)


def decoding_side(preprocessing: Preprocessing) -> int:
    """Return the ``min_side`` to decode with, for callers that use the decoded picture twice.

    Every embedding of a picture must come from the same scale, or equal files would differ.
    """
    return _DRAFT_FACTOR * preprocessing.image_size


def preprocess(image: Image.Image, preprocessing: Preprocessing) -> PixelArray:
    """Resize and crop a decoded RGB picture: uint8 (S, S, 3)."""
    size = preprocessing.image_size
    resample = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.resize_mode == "squash":
        square = image.resize((size, size), resample)
    elif preprocessing.resize_mode == "longest":
        square = _fit_and_pad(image, size, resample, fill=preprocessing.fill_color)
    else:
        square = _fill_and_crop(image, size, resample)
    return np.array(square, dtype=np.uint8)


def normalise_pixels(pixels_NSS3: PixelArray, preprocessing: Preprocessing) -> FloatArray:
    """Return (pixels / 255 - mean) / std as float32 (N, 3, S, S), the layout of torch."""
    levels_L = np.arange(256, dtype=np.float32) / np.float32(255)
    count, height, width, _ = pixels_NSS3.shape
    normalised_N3SS = np.empty((count, _CHANNELS, height, width), np.float32)
    for channel, (mean, std) in enumerate(zip(preprocessing.mean, preprocessing.std, strict=True)):
        # 256 levels exist, so a table gives the same numbers as the arithmetic on every pixel.
        table_L = (levels_L - np.float32(mean)) / np.float32(std)
        np.take(table_L, pixels_NSS3[..., channel], out=normalised_N3SS[:, channel])
    return normalised_N3SS


def _fill_and_crop(image: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
    """Bring the shorter side to ``size`` and cut the middle out of the longer one."""
    short, long = min(image.size), max(image.size)
    scaled_long = int(size * long / short)
    width, height = (size, scaled_long) if image.width <= image.height else (scaled_long, size)
    # Rounding to even is what torchvision's centre crop does.
    left, top = round((width - size) / 2), round((height - size) / 2)
    if short >= _CROPPED_FACTOR * size or width * height > _MAX_RESIZED_PIXELS:
        # Resize only what the crop keeps: a quarter less work for a photograph, and a very long
        # strip would be enormous before the crop. Not done always, because Pillow holds the box
        # in single precision, so that about 3 of 10,000 values are rounded to the other side.
        x_scale, y_scale = image.width / width, image.height / height
        box = (left * x_scale, top * y_scale, (left + size) * x_scale, (top + size) * y_scale)
        return image.resize((size, size), resample, box=box)
    resized = image.resize((width, height), resample)
    return resized.crop((left, top, left + size, top + size))


def _fit_and_pad(
    image: Image.Image, size: int, resample: Image.Resampling, *, fill: int
) -> Image.Image:
    """Bring the longer side to ``size`` and pad the shorter one on both sides."""
    ratio = max(image.size) / size
    width, height = (max(1, round(side / ratio)) for side in image.size)
    square = Image.new("RGB", (size, size), (fill, fill, fill))
    square.paste(
        image.resize((width, height), resample), ((size - width) // 2, (size - height) // 2)
    )
    return square
