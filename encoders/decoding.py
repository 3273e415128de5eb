"""Image bytes to an upright RGB picture, or a typed error: the one door for untrusted pictures.

The order matters: bytes are counted and sniffed before Pillow sees them, Pillow may use only the
decoder of the sniffed format, and the size in the header is checked before a pixel is decoded.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from core.errors import (
    ImageTooLargeError,
    NotFoundError,
    UndecodableImageError,
    UnsupportedImageError,
)
from core.pairs.image_file import ImageFile
from encoders.colour import to_rgb

DEFAULT_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Formats accepted without asking; AVIF and TIFF are known too and must be switched on."""

KNOWN_FORMATS = (*DEFAULT_FORMATS, "AVIF", "TIFF")

_JPEG_PIXEL_FACTOR = 2
_ORIENTATION_TAG = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = frozenset({5, 6, 7, 8})
"""Orientations that exchange width and height."""
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    IndexError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise for bytes that are not what they claim to be."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What an untrusted picture may cost."""

    max_bytes: int = 20 * 1024 * 1024
    """Size of the file, in bytes."""
    max_pixels: int = 40_000_000
    """Width times height that may be decoded. A JPEG may declare twice this when it is decoded at
    a reduced scale, because the reduced picture is what is held in memory."""
    max_side: int = 20_000
    """Longer side, in pixels."""
    formats: tuple[str, ...] = DEFAULT_FORMATS
    """Accepted formats, out of ``KNOWN_FORMATS``."""


DEFAULT_LIMITS = DecodeLimits()
"""The limits of a caller that states none."""


class ImageDecoder(Protocol):
    """What ``decode_image`` is, or does its work elsewhere."""

    def __call__(
        self, data: bytes, limits: DecodeLimits, *, min_side: int | None = None
    ) -> Image.Image:
        """Decode as :func:`decode_image` does."""
        ...


def decode_image(
    data: bytes, limits: DecodeLimits = DEFAULT_LIMITS, *, min_side: int | None = None
) -> Image.Image:
    """Decode the first frame as an upright RGB picture: alpha on white, 16 bit scaled to 8.

    Args:
        data: the bytes of the file.
        limits: what is accepted.
        min_side: allow a JPEG to be decoded at 1/2, 1/4 or 1/8 scale as long as its shorter side
            keeps this many pixels; for a caller that shrinks the picture anyway.

    Raises:
        ImageTooLargeError: more bytes, pixels or a longer side than the limit.
        UnsupportedImageError: not one of the accepted formats.
        UndecodableImageError: empty, truncated or corrupt.
    """
    _check_bytes(data, limits)
    format_name = _accepted_format(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=(format_name,)) as image:
            _check_size(image.size, limits, factor=_pixel_factor(format_name, min_side))
            if min_side is not None:
                image.draft(None, (min_side, min_side))
            _check_size(image.size, limits, factor=1)
            image.load()
            return to_rgb(_upright(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(
            f"the picture has more pixels than the limit of {limits.max_pixels}; resize it",
            code="image_too_many_pixels",
        ) from error
    except _DECODER_ERRORS as error:
        raise _undecodable(format_name, error) from error


def image_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a picture that ``decode_image`` accepts, upright, undecoded.

    Raises:
        UndecodableImageError: the header cannot be read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=KNOWN_FORMATS) as image:
            width, height = image.size
            turned = _orientation(image) in _TURNED
    except _DECODER_ERRORS as error:
        raise _undecodable("known", error) from error
    return (height, width) if turned else (width, height)


def read_image_file(image: ImageFile, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of a picture on disk; too large a file is refused without reading it.

    Raises:
        NotFoundError: there is no such file, or it cannot be read.
        ImageTooLargeError: the file has more bytes than the limit.
    """
    if not isinstance(image, Path):
        _check_byte_count(image.size_bytes(), limits)
        return image.read()
    try:
        _check_byte_count(image.stat().st_size, limits)
        return image.read_bytes()
    except OSError as error:
        raise NotFoundError(f"{image} cannot be read: {error.strerror}") from error


def sniff_format(data: bytes) -> str | None:
    """Return the format that the first bytes announce, or ``None`` for an unknown one."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in {b"avif", b"avis"}:
        return "AVIF"
    if data.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    return "BMP" if data.startswith(b"BM") else None


def _check_bytes(data: bytes, limits: DecodeLimits) -> None:
    if not data:
        raise UndecodableImageError(
            "the picture is empty (0 bytes); send the bytes of the file", code="image_empty"
        )
    _check_byte_count(len(data), limits)


def _check_byte_count(count: int, limits: DecodeLimits) -> None:
    if count > limits.max_bytes:
        raise ImageTooLargeError(
            f"the picture has {count} bytes, the limit is {limits.max_bytes}; compress it",
            code="image_too_many_bytes",
        )


def _accepted_format(data: bytes, limits: DecodeLimits) -> str:
    found = sniff_format(data)
    if found is not None and found in limits.formats:
        return found
    said = "bytes of no known image format" if found is None else f"a {found} file"
    raise UnsupportedImageError(
        f"this is {said}; accepted are {', '.join(limits.formats)}: convert the picture"
    )


def _pixel_factor(format_name: str, min_side: int | None) -> int:
    return _JPEG_PIXEL_FACTOR if format_name == "JPEG" and min_side is not None else 1


def _check_size(size: tuple[int, int], limits: DecodeLimits, *, factor: int) -> None:
    width, height = size
    if width * height > limits.max_pixels * factor:
        raise ImageTooLargeError(
            f"the picture has {width} x {height} = {width * height} pixels, the limit is "
            f"{limits.max_pixels * factor}; resize it",
            code="image_too_many_pixels",
        )
    if max(size) > limits.max_side:
        raise ImageTooLargeError(
            f"the longer side of the picture is {max(size)} pixels, the limit is "
            f"{limits.max_side}; resize or cut it",
            code="image_side_too_long",
        )


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation."""
    method = _TRANSPOSITIONS.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) where there is none or it cannot be read."""
    try:
        found = image.getexif().get(_ORIENTATION_TAG)
    except (*_DECODER_ERRORS, AttributeError):
        return 1
    return found if isinstance(found, int) else 1


def _undecodable(format_name: str, error: BaseException) -> UndecodableImageError:
    said = str(error).lower()
    cut = any(word in said for word in ("truncated", "broken data stream", "end of file"))
    cause = "is cut short" if cut else "is damaged"
    detail = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
    return UndecodableImageError(
        f"the {format_name} picture {cause} and cannot be decoded{detail}; send the whole file",
        code="image_truncated" if cut else "image_undecodable",
    )


def _harden_pillow() -> None:
    """Tighten Pillow's process-wide settings; all of them can only refuse more than before."""
    PngImagePlugin.MAX_TEXT_CHUNK = 256 * 1024
    PngImagePlugin.MAX_TEXT_MEMORY = 1024 * 1024
    # As an error it is caught above; as a warning it would print on the user's terminal, once.
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    # Odd EXIF of a user's photographs is ignored, not a matter for the log of the server.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


_harden_pillow()
