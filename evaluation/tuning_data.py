"""The user's own pictures and captions, decoded once for everything that is measured on them.

# M = pictures, C = captions, S = image size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import ImageError, NotFoundError, UsageError
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from core.types import PixelArray
from encoders.decoding import read_image_file
from encoders.preprocessing import Preprocessing, preprocess_bytes

LEAST_PICTURES = 50
"""Fewer pictures tell too little of what a precision loses."""
MOST_CALIBRATED = 300
"""Pictures that the ranges of an int8 tower are taken from; more change nothing."""


@dataclass(frozen=True, slots=True)
class TuningData:
    """Decoded pictures with captions."""

    source: str
    """Where they come from, for the table."""
    pixels_MSS3: PixelArray
    captions: tuple[str, ...]
    picture_of_C: tuple[int, ...]
    """Row of the picture that each caption belongs to."""
    skipped: Mapping[str, str]
    """Pictures that cannot be used, and why."""

    @property
    def calibration_rows(self) -> list[int]:
        """Rows that an int8 tower is calibrated on: every third, at most 300."""
        return list(range(0, len(self.pixels_MSS3), 3))[:MOST_CALIBRATED]

    @property
    def held_out_rows(self) -> list[int]:
        """Rows that it is not calibrated on."""
        used = set(self.calibration_rows)
        return [row for row in range(len(self.pixels_MSS3)) if row not in used]


def read_tuning_data(
    pairs: Sequence[Pair],
    preprocessing: Preprocessing,
    *,
    source: str,
    progress: ProgressFactory = silent,
) -> TuningData:
    """Decode the pictures of pairs that have captions; a bad picture is named and left out.

    Raises:
        UsageError: too few are left to judge a precision by.
    """
    pixels: list[PixelArray] = []
    captions: list[str] = []
    picture_of_C: list[int] = []
    skipped: dict[str, str] = {}
    with progress("read pictures", total=len(pairs), unit="images") as shown:
        for pair in pairs:
            shown.advance()
            if not pair.captions:
                skipped[pair.id] = "no caption"
                continue
            try:
                pixels.append(preprocess_bytes(read_image_file(pair.image), preprocessing))
            except (ImageError, NotFoundError) as error:
                skipped[pair.id] = str(error)
                continue
            captions += pair.captions
            picture_of_C += [len(pixels) - 1] * len(pair.captions)
    if len(pixels) < LEAST_PICTURES:
        raise UsageError(
            f"{source} has {len(pixels)} readable pictures with captions; tuning needs at least "
            f"{LEAST_PICTURES} to tell what a precision loses"
        )
    return TuningData(source, np.stack(pixels), tuple(captions), tuple(picture_of_C), skipped)
