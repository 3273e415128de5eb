"""Pictures beside a collection: uploaded bytes and thumbnails, both named by content digest."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Sequence
from pathlib import Path

from PIL import Image

from core.artifacts import sha256_bytes, write_atomic
from core.errors import NotFoundError
from index.disk_use import files_below
from index.items import Item
from index.schema import storage_errors

THUMBNAIL_SIDE = 320
"""Longer side of a thumbnail, in pixels."""
_THUMBNAIL_QUALITY = 82
_END_OF_JPEG = b"\xff\xd9"


class MediaStore:
    """The folders ``images/`` and ``thumbnails/`` of a gallery.

    Names come from digests alone, so nothing that a client sends becomes a path.
    """

    def __init__(self, folder: Path) -> None:
        """Use the gallery in ``folder``; nothing is made before it is needed."""
        self._images = folder / "images"
        self._thumbnails = folder / "thumbnails"

    def keep_image(self, digest: str, data: bytes) -> None:
        """Store uploaded bytes durably; bytes that are stored already are not written again.

        Raises:
            StorageFullError: the disk is full.
            StorageError: the file cannot be written.
        """
        self._write(_place(self._images, digest), data)

    def keep_thumbnail(self, digest: str, data: bytes) -> None:
        """Store a thumbnail.

        Raises:
            StorageFullError: the disk is full.
            StorageError: the file cannot be written.
        """
        path = _place(self._thumbnails, digest, suffix=".jpg")
        if _read_thumbnail(path) is not None:
            return
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Derived data needs no fsync, but must never be seen half-written.
            temporary = path.with_suffix(".tmp")
            temporary.write_bytes(data)
            temporary.replace(path)

    def holds_image(self, digest: str) -> bool:
        """Return whether the bytes are stored here."""
        return _place(self._images, digest).exists()

    def image(self, item: Item) -> bytes:
        """Return the bytes of an item's picture: kept here, or in the file it was added from.

        Raises:
            NotFoundError: the file is gone or holds another picture now.
        """
        with contextlib.suppress(FileNotFoundError):
            return _place(self._images, item.digest).read_bytes()
        if item.source is None:
            raise NotFoundError(f"the picture of {item.id!r} is not stored any more; add it again")
        try:
            data = Path(item.source).read_bytes()
        except OSError as error:
            raise NotFoundError(
                f"the file of {item.id!r} cannot be read: {item.source}: {error.strerror}; put it "
                "back, or add it from its new place"
            ) from error
        if sha256_bytes(data) != item.digest:
            raise NotFoundError(
                f"{item.source} has changed since it was added as {item.id!r}; add it again"
            )
        return data

    def thumbnail(self, item: Item) -> bytes | None:
        """Return the thumbnail, or ``None`` where it is missing or not whole."""
        return _read_thumbnail(_place(self._thumbnails, item.digest, suffix=".jpg"))

    def places(self, digest: str) -> tuple[Path, Path]:
        """Return where the picture and the thumbnail of a content are kept, if they are."""
        return _place(self._images, digest), _place(self._thumbnails, digest, suffix=".jpg")

    def files(self) -> list[Path]:
        """Return every file that is kept, half-written ones included."""
        return sorted([*files_below(self._images), *files_below(self._thumbnails)])

    def strays(self, files: Sequence[Path], digests: Collection[str]) -> list[Path]:
        """Return those of the kept files that belong to none of the digests."""
        known = {path for digest in digests for path in self.places(digest)}
        return [path for path in files if path not in known]

    def forget(self, digests: Sequence[str]) -> None:
        """Delete picture and thumbnail of digests that no item has."""
        for digest in digests:
            for path in self.places(digest):
                path.unlink(missing_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        if path.exists():
            return
        with storage_errors(path):
            write_atomic(path, data)


def thumbnail_bytes(image: Image.Image) -> bytes:
    """Return an RGB picture as a JPEG whose longer side is at most 320 pixels."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_THUMBNAIL_QUALITY)
    return buffer.getvalue()


def _read_thumbnail(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    # It was not synced: a power loss may leave it empty or full of zeros.
    return data if data.endswith(_END_OF_JPEG) else None


def _place(folder: Path, digest: str, *, suffix: str = "") -> Path:
    return folder / digest[:2] / f"{digest}{suffix}"
