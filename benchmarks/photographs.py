"""Photograph-like JPEGs of any size, all different: smooth shapes under noise of several scales.

One of 640 x 480 takes about 70 kB, as cameras and the web make them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {"640 x 480": (640, 480), "2 MP": (1632, 1224), "12 MP": (4000, 3000)}
QUALITY = 85
_SCALES = ((6, 1.4), (40, 0.7), (160, 0.4))
"""Cells along the width, and the strength of the noise of that scale."""
_GRAIN = 3
_MARGIN = 240
_FROM_ONE = 64
"""Photographs that are cut out of one canvas: drawing one takes longer than decoding ten."""


def write_photographs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Fill a folder with so many different JPEGs and return them; what is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    for number, data in photographs(missing, size):
        partial = paths[number].with_suffix(".partial")
        partial.write_bytes(data)
        partial.rename(paths[number])
    return paths


def photographs(numbers: list[int], size: tuple[int, int]) -> Iterator[tuple[int, bytes]]:
    """Yield number and JPEG; the same number is the same picture."""
    drawn, canvas = -1, None
    for number in numbers:
        if canvas is None or number // _FROM_ONE != drawn:
            drawn = number // _FROM_ONE
            canvas = draw(drawn, (size[0] + _MARGIN, size[1] + _MARGIN))
        yield number, cut(canvas, number, size)


def draw(seed: int, size: tuple[int, int]) -> Image.Image:
    """Return a large picture to cut photographs out of."""
    rng = np.random.default_rng(seed)
    width, height = size
    levels = np.full((height, width, 3), 128.0, np.float32)
    for cells, strength in _SCALES:
        noise = rng.integers(0, 256, (max(2, cells * height // width), cells, 3), np.uint8)
        smooth = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        levels += (np.asarray(smooth, np.float32) - 128) * strength
    levels += rng.standard_normal((height, width, 1), np.float32) * _GRAIN
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def cut(canvas: Image.Image, number: int, size: tuple[int, int]) -> bytes:
    """Return a JPEG of one place of the canvas, with its colours in another order."""
    rng = np.random.default_rng(number)
    left, top = (int(place) for place in rng.integers(0, _MARGIN, 2))
    window = canvas.crop((left, top, left + size[0], top + size[1]))
    bands = window.split()
    turned = Image.merge("RGB", [bands[band] for band in rng.permutation(3)])
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
