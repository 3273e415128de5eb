"""What may stand for an image in a call, and its bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol, TypeAlias

from core.errors import NotFoundError, UsageError


class Picture(Protocol):
    """A picture in memory that can write itself, for example a ``PIL.Image.Image``."""

    def save(self, fp: IO[bytes], format: str) -> None:
        """Write the picture in a format such as ``PNG``."""
        ...


ImageLike: TypeAlias = str | Path | bytes | Callable[[], bytes] | Picture
"""A path, the bytes of an image file, what returns them, or a picture in memory."""


def image_bytes(image: ImageLike) -> bytes:
    """Return the bytes of an image file; a picture in memory becomes a PNG.

    Raises:
        NotFoundError: a file that is not there or cannot be read.
        UsageError: something else than an image.
        SightlineError: what the given function raises.
    """
    if isinstance(image, bytes):
        return image
    try:
        return _read(image)
    except OSError as error:
        raise NotFoundError(f"the image cannot be read: {error}", param="image") from error


def _read(image: str | Path | Callable[[], bytes] | Picture) -> bytes:
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    if callable(image):
        return image()
    if hasattr(image, "save"):
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    raise UsageError(
        f"{type(image).__name__} is no image; give a path, the bytes of an image file or a "
        "Pillow image",
        param="image",
    )
