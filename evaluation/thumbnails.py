"""Small copies of pictures that a page carries inside itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from core.errors import SightlineError
from encoders.decoding import decode_image, read_image_file

SIDE = 112
"""Pixels of the longer side: what the page shows."""
_QUALITY = 70

Thumbnail = Callable[[str], str | None]
"""From the path of a picture to a ``data:`` address; ``None`` where there is no picture."""


def thumbnail(path: str) -> str | None:
    """Return a small copy as a ``data:`` address; nothing of the file but its pixels is in it.

    ``None`` where there is no such file any more, or no picture in it: a picture inside a tar or
    a Parquet file, or a report of another machine.
    """
    file = Path(path)
    try:
        # A device or a pipe has no end.
        if not file.is_file():
            return None
        picture = decode_image(read_image_file(file), min_side=SIDE)
    except (SightlineError, OSError, ValueError):
        return None
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, format="JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
