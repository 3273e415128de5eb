"""Counts over the usable pictures of a scan: formats, sizes, shapes, traits.

# N = pairs, G = usable pictures
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from encoders.decoding import KNOWN_FORMATS
from training.doctor.picture import Trait
from training.doctor.scan import Scan

_SIDES = (64, 128, 224, 336, 512, 1024, 2048)
_RATIOS = ((0.5, "below 1:2"), (0.75, "1:2 to 3:4"), (4 / 3, "3:4 to 4:3"), (2.0, "4:3 to 2:1"))
_WIDEST = "2:1 and above"


@dataclass(frozen=True, slots=True)
class PictureStats:
    """Counts of usable pictures."""

    formats: dict[str, int]
    shorter_side: dict[str, int]
    """Pictures by their shorter side in pixels; bins without any are left out at both ends."""
    shape: dict[str, int]
    """Pictures by width over height."""
    median_side: int
    """Median of the shorter sides, in pixels."""
    mean_bytes: int
    smaller_than_model: int
    """Shorter side below that of the model: they are enlarged."""
    animated: int
    cmyk: int
    alpha: int
    rotated: int
    """Turned upright by EXIF."""
    grey: int


def picture_stats(scan: Scan, *, image_size: int) -> PictureStats:
    """Count the usable pictures of a scan against a model's side in pixels."""
    width_G, height_G = scan.width_N[scan.good_N], scan.height_N[scan.good_N]
    side_G = np.minimum(width_G, height_G)
    formats = Counter(KNOWN_FORMATS[place] for place in scan.format_N[scan.good_N].tolist())
    return PictureStats(
        formats=dict(sorted(formats.items(), key=lambda item: (-item[1], item[0]))),
        shorter_side=_side_bins(side_G),
        shape=_shape_bins(width_G, height_G),
        median_side=int(np.median(side_G)) if len(side_G) else 0,
        mean_bytes=int(scan.bytes_N[scan.good_N].mean()) if len(side_G) else 0,
        smaller_than_model=int((side_G < image_size).sum()),
        animated=scan.with_trait(Trait.ANIMATED),
        cmyk=scan.with_trait(Trait.CMYK),
        alpha=scan.with_trait(Trait.ALPHA),
        rotated=scan.with_trait(Trait.ROTATED),
        grey=scan.with_trait(Trait.GREY),
    )


def _side_bins(side_G: NDArray[np.int32]) -> dict[str, int]:
    names = [f"below {_SIDES[0]}"]
    names += [f"{low} to {high - 1}" for low, high in pairwise(_SIDES)]
    names.append(f"{_SIDES[-1]} and more")
    counts = np.bincount(np.searchsorted(_SIDES, side_G, side="right"), minlength=len(names))
    filled = np.flatnonzero(counts)
    if not len(filled):
        return {}
    kept = range(int(filled[0]), int(filled[-1]) + 1)
    return {names[place]: int(counts[place]) for place in kept}


def _shape_bins(width_G: NDArray[np.int32], height_G: NDArray[np.int32]) -> dict[str, int]:
    names = [*(name for _, name in _RATIOS), _WIDEST]
    ratio_G = width_G / np.maximum(height_G, 1)
    places = np.searchsorted([limit for limit, _ in _RATIOS], ratio_G, side="right")
    counts = np.bincount(places, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}
