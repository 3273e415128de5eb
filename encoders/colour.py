"""Any Pillow mode to 8-bit RGB without losing what the picture shows.

Pillow's own ``convert("RGB")`` clips 16-bit pixels to white and reveals the colour that is hidden
under transparent pixels; here wide pixels are scaled and transparency is laid on white.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_WITH_TRANSPARENCY_KEY = frozenset({"1", "L", "P", "RGB"})
_WIDE = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_MAX_16_BIT = 65535
_BAND_PIXELS = 1_000_000
"""Wide pixels scaled at a time: the arithmetic takes many times their own memory."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the loaded picture in mode RGB.

    Alpha and transparency keys are composited on white. 16-bit grey is scaled by 1/257. 32-bit
    integers and floats are scaled by their range; what is not finite becomes black. Colour
    profiles are ignored.
    """
    if image.mode in _WIDE:
        return Image.fromarray(_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    has_key = image.mode in _WITH_TRANSPARENCY_KEY and "transparency" in image.info
    if image.mode in _WITH_ALPHA or has_key:
        return _on_white(image.convert("RGBA"))
    if image.mode == "RGB":
        return image.copy()
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    background = Image.new("RGB", image.size, (255, 255, 255))
    background.paste(image, mask=image.getchannel("A"))
    return background


def _eight_bits(values_HW: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    """Scale wide grey values to [0, 255]."""
    low, high = _range_of(values_HW, mode)
    scaled_HW = np.empty(values_HW.shape, np.uint8)
    for band in _bands(values_HW):
        grey_HW = (np.clip(_finite(values_HW[band]), low, high) - low) * (255.0 / (high - low))
        scaled_HW[band] = np.rint(grey_HW).astype(np.uint8)
    return scaled_HW


def _range_of(values_HW: NDArray[np.generic], mode: str) -> tuple[float, float]:
    """Return the values that stand for black and white."""
    low = min(float(_finite(values_HW[band]).min()) for band in _bands(values_HW))
    high = max(float(_finite(values_HW[band]).max()) for band in _bands(values_HW))
    if mode == "F" and low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    if mode != "F" and low >= 0.0 and high <= _MAX_16_BIT:
        return 0.0, float(_MAX_16_BIT)
    return (low, high) if high > low else (low, low + 1.0)


def _bands(values_HW: NDArray[np.generic]) -> Iterator[slice]:
    """Yield the rows of a picture, some at a time."""
    rows = max(1, _BAND_PIXELS // values_HW.shape[1])
    for start in range(0, values_HW.shape[0], rows):
        yield slice(start, start + rows)


def _finite(values_HW: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values_HW.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
