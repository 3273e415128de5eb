"""Captioned pictures from packages: emoji sets and clip art, rendered to RGBA.

# H, W = height, width in pixels
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from core.errors import TrainingError

RENDER_SIDE = 256
MAX_PIXELS = 12_000_000
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    # Some clip art has more than 200 million pixels, which Pillow itself refuses to open.
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class PictureError(TrainingError):
    """One picture cannot be used; the others can."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One captioned picture of a package, before rendering."""

    name: str
    """Stable name inside its set, for example `noto/1f419`."""
    concept: str
    """What it shows; pictures of one concept are never each other's negatives."""
    captions: tuple[str, ...]
    """The name first, then tags."""
    path: Path | None = None
    """A PNG, WebP or SVG file."""
    svg: str = ""
    """SVG text, where there is no file."""


def render(picture: Picture) -> Image.Image:
    """Return the picture as RGBA whose longer side is 256 pixels.

    Raises:
        PictureError: it is larger than 12 million pixels, or no image can be read from it.
        TrainingError: resvg_py, which renders SVG, is not installed.
    """
    try:
        data = _png_of(picture)
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise PictureError(f"{picture.name} has more than {MAX_PIXELS} pixels")
        scale = RENDER_SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        return image.convert("RGBA").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    except _UNREADABLE as err:
        raise PictureError(f"{picture.name} cannot be rendered: {err}") from err


def _png_of(picture: Picture) -> bytes:
    if picture.path is not None and picture.path.suffix != ".svg":
        return picture.path.read_bytes()
    try:
        import resvg_py  # type: ignore[import-not-found,unused-ignore]  # has no types
    except ImportError as err:
        message = "SVG pictures are rendered by resvg_py; install it: pip install resvg_py"
        raise TrainingError(message) from err
    svg = picture.path.read_text(encoding="utf-8") if picture.path else picture.svg
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=RENDER_SIDE))
