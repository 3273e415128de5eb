"""One picture file, looked at once: what it is, what it looks like, or why it cannot be used."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from PIL import Image

from core.errors import ImageError, NotFoundError
from core.pairs.pair import Pair
from encoders.decoding import (
    KNOWN_FORMATS,
    DecodeLimits,
    decode_image,
    read_image_file,
    sniff_format,
)
from training.doctor.fingerprint import Fingerprint, fingerprint_of

DIGEST_BYTES = 16
DECODED_SIDE = 64
"""Shorter side that a JPEG is at least decoded with: twice what the fingerprint needs."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = 1
_TURNED_SIDEWAYS = frozenset({5, 6, 7, 8})
_GREY_SIDE = 32
_GREY_LEVELS = 6


class Trait(IntFlag):
    """What is worth knowing of a picture besides its size."""

    ANIMATED = 1
    """Several frames; the first is used."""
    CMYK = 2
    """Four printing colours, converted without a colour profile."""
    ALPHA = 4
    """Transparency; laid on white."""
    ROTATED = 8
    """Turned upright by its EXIF orientation."""
    GREY = 16
    """No colours."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """A picture that can be used."""

    digest: bytes
    """16 bytes of BLAKE2b over the file: equal files have equal ones."""
    fingerprint: Fingerprint
    width: int
    """Pixels, upright."""
    height: int
    """Pixels, upright."""
    num_bytes: int
    format: str
    """One of ``encoders.decoding.KNOWN_FORMATS``."""
    traits: Trait


@dataclass(frozen=True, slots=True)
class BadPicture:
    """A picture that cannot be used."""

    row: int
    """Which of the pairs."""
    id: str
    """Of the pair."""
    image: str
    code: str
    """``not_found`` or the code of the image error, for machines."""
    message: str


def inspect_pair(row: int, pair: Pair, limits: DecodeLimits) -> PictureFacts | BadPicture:
    """Read and decode the picture of a pair once, as training would."""
    try:
        return inspect_bytes(read_image_file(pair.image, limits), limits)
    except (ImageError, NotFoundError) as error:
        return BadPicture(
            row=row, id=pair.id, image=str(pair.image), code=error.code, message=str(error)
        )


def inspect_bytes(data: bytes, limits: DecodeLimits) -> PictureFacts:
    """Return the facts of one picture.

    Raises:
        ImageError: it cannot be used.
    """
    # This comes first: it holds every guard against hostile files.
    image = decode_image(data, limits, min_side=DECODED_SIDE)
    format_name = sniff_format(data)
    assert format_name in KNOWN_FORMATS
    with Image.open(io.BytesIO(data), formats=(format_name,)) as header:
        width, height = header.size
        orientation = _orientation(header)
        traits = _traits(header) | _grey(image)
    if orientation != _UPRIGHT:
        traits |= Trait.ROTATED
    if orientation in _TURNED_SIDEWAYS:
        width, height = height, width
    return PictureFacts(
        digest=hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest(),
        fingerprint=fingerprint_of(image),
        width=width,
        height=height,
        num_bytes=len(data),
        format=format_name,
        traits=traits,
    )


def _orientation(header: Image.Image) -> int:
    """Return the EXIF orientation, upright where it cannot be read."""
    try:
        value = header.getexif().get(_ORIENTATION_TAG, _UPRIGHT)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, AttributeError):
        return _UPRIGHT
    return value if value in range(1, 9) else _UPRIGHT


def _traits(header: Image.Image) -> Trait:
    traits = Trait(0)
    if getattr(header, "is_animated", False):
        traits |= Trait.ANIMATED
    if header.mode == "CMYK":
        traits |= Trait.CMYK
    if header.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in header.info:
        traits |= Trait.ALPHA
    return traits


def _grey(image: Image.Image) -> Trait:
    small_HW3 = np.asarray(image.resize((_GREY_SIDE, _GREY_SIDE), Image.Resampling.BOX), np.int16)
    spread_HW = small_HW3.max(axis=2) - small_HW3.min(axis=2)
    return Trait.GREY if int(spread_HW.max()) <= _GREY_LEVELS else Trait(0)
