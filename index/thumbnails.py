"""Thumbnails: small JPEGs of a few fixed sizes, named by content, made once and kept."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections import OrderedDict
from pathlib import Path

from PIL import Image

from index.schema import storage_errors

THUMBNAIL_SIDES = (160, 320, 640)
"""The longer side of each size in pixels. A bounded set, so that no client can fill the disk."""
THUMBNAIL_SIDE = 320
"""The size that is made when an item is added; the others are made when first asked for."""
MOST_KNOWN_SHAPES = 65_536
"""Shapes that are remembered: about 10 MB."""
_QUALITY = 82
_HEADER_BYTES = 1024
_END_OF_JPEG = b"\xff\xd9"
_START_OF_JPEG = b"\xff\xd8"
_FRAMES = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")

Shape = tuple[int, int]
"""Width and height in pixels."""


class ThumbnailFolder:
    """The folder ``thumbnails/`` of a gallery; names come from digests alone."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``; nothing is made before it is needed."""
        self._folder = folder
        self._shapes: OrderedDict[str, Shape | None] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, digest: str, *, side: int = THUMBNAIL_SIDE) -> Path:
        """Return where the thumbnail of a content is kept, if it is."""
        suffix = "" if side == THUMBNAIL_SIDE else f"-{side}"
        return self._folder / digest[:2] / f"{digest}{suffix}.jpg"

    def paths(self, digest: str) -> list[Path]:
        """Return where each size is kept, if it is."""
        return [self.path(digest, side=side) for side in THUMBNAIL_SIDES]

    def read(self, digest: str, *, side: int = THUMBNAIL_SIDE) -> bytes | None:
        """Return a thumbnail, or ``None`` where it is missing or not whole."""
        try:
            data = self.path(digest, side=side).read_bytes()
        except FileNotFoundError:
            return None
        # It was not synced: a power loss may leave it empty or full of zeros.
        return data if data.endswith(_END_OF_JPEG) else None

    def keep(self, digest: str, data: bytes, *, side: int = THUMBNAIL_SIDE) -> None:
        """Store a thumbnail.

        Raises:
            StorageFullError: the disk is full.
            StorageError: the file cannot be written.
        """
        self.note_shape(digest, data, side=side)
        path = self.path(digest, side=side)
        if self.read(digest, side=side) is not None:
            return
        # Two requests may make the same one at once, so each has a file of its own.
        temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Derived data needs no fsync, but must never be seen half-written.
            temporary.write_bytes(data)
            temporary.replace(path)

    def shape(self, digest: str) -> Shape | None:
        """Return width and height of a thumbnail; ``None`` where none has been made yet."""
        with self._lock:
            if digest in self._shapes:
                self._shapes.move_to_end(digest)
                return self._shapes[digest]
        header = b""
        with contextlib.suppress(OSError), self.path(digest).open("rb") as file:
            header = file.read(_HEADER_BYTES)
        return self._remember(digest, jpeg_shape(header))

    def note_shape(self, digest: str, data: bytes, *, side: int) -> None:
        """Remember the shape of a thumbnail that was just made; other sizes have no part in it."""
        if side == THUMBNAIL_SIDE:
            self._remember(digest, jpeg_shape(data[:_HEADER_BYTES]))

    def _remember(self, digest: str, shape: Shape | None) -> Shape | None:
        with self._lock:
            self._shapes[digest] = shape
            if len(self._shapes) > MOST_KNOWN_SHAPES:
                self._shapes.popitem(last=False)
        return shape


def thumbnail_bytes(image: Image.Image, *, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return an RGB picture as a JPEG whose longer side is at most ``side`` pixels."""
    small = image.copy()
    # Whole steps of a reduction are averaged first: an eighth of the time, and no model sees it.
    small.thumbnail((side, side), reducing_gap=1.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def jpeg_shape(header: bytes) -> Shape | None:
    """Return width and height from the first bytes of a JPEG; ``None`` where they do not tell.

    Source: ITU-T T.81, B.1.1 and B.2.2: markers with lengths, then height and width of the frame.
    """
    position = 2
    while header.startswith(_START_OF_JPEG) and header[position : position + 1] == b"\xff":
        if header.startswith(_FRAMES, position):
            height = int.from_bytes(header[position + 5 : position + 7], "big")
            width = int.from_bytes(header[position + 7 : position + 9], "big")
            return (width, height) if width and height else None
        position += 2 + int.from_bytes(header[position + 2 : position + 4], "big")
    return None
