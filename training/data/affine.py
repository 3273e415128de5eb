"""A rotation, shear, zoom and shift of a picture about its centre: uint8 in, uint8 out.

# H = height, W = width
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.types import PixelArray
from encoders.preprocessing import Interpolation

_RESAMPLING = {
    # Nothing is made smaller here, so bicubic would buy little for more than twice the time.
    "bicubic": Image.Resampling.BILINEAR,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """One such change: rotated first, then sheared, zoomed and shifted."""

    angle: float = 0.0
    """Rotation in radians, clockwise."""
    shear: float = 0.0
    """Horizontal shift of a row over its distance from the centre."""
    zoom: float = 1.0
    """Factor of the size."""
    shift_x: float = 0.0
    """To the right, as a fraction of the width."""
    shift_y: float = 0.0
    """Down, as a fraction of the height."""

    @classmethod
    def drawn(
        cls,
        rng: np.random.Generator,
        *,
        rotate_degrees: float,
        shear_degrees: float,
        translate: float,
        zoom: float,
    ) -> Affine:
        """Draw a change uniformly within greatest amounts either way."""
        angle, shear, size, shift_x, shift_y = rng.uniform(-1.0, 1.0, size=5)
        return cls(
            angle=math.radians(angle * rotate_degrees),
            shear=math.tan(math.radians(shear * shear_degrees)),
            zoom=1.0 + size * zoom,
            shift_x=shift_x * translate,
            shift_y=shift_y * translate,
        )

    def applied(self, pixels_HW3: PixelArray, *, interpolation: Interpolation) -> PixelArray:
        """Return the changed picture; new ground takes the colour of its upper left corner."""
        height, width = pixels_HW3.shape[:2]
        corner = tuple(int(level) for level in pixels_HW3[0, 0])
        changed = Image.fromarray(pixels_HW3).transform(
            (width, height),
            Image.Transform.AFFINE,
            self.sources(width, height),
            resample=_RESAMPLING[interpolation],
            fillcolor=corner,
        )
        return np.asarray(changed)

    def sources(self, width: int, height: int) -> tuple[float, float, float, float, float, float]:
        """Return (a, b, c, d, e, f): the pixel (x, y) comes from (ax + by + c, dx + ey + f).

        Pillow asks where each pixel comes from, so this is the inverse of the change.
        """
        cosine, sine = math.cos(self.angle) / self.zoom, math.sin(self.angle) / self.zoom
        a, b = cosine, sine - self.shear * cosine
        d, e = -sine, cosine + self.shear * sine
        middle_x, middle_y = width / 2, height / 2
        from_x = middle_x + self.shift_x * width
        from_y = middle_y + self.shift_y * height
        return a, b, middle_x - a * from_x - b * from_y, d, e, middle_y - d * from_x - e * from_y
