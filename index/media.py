"""Pictures beside a collection: uploaded bytes and thumbnails, both named by content digest."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path

from core.artifacts import sha256_bytes, write_atomic
from core.errors import NotFoundError
from index.disk_use import files_below
from index.items import Item
from index.schema import storage_errors
from index.thumbnails import THUMBNAIL_SIDE, Shape, ThumbnailFolder


class MediaStore:
    """The folders ``images/`` and ``thumbnails/`` of a gallery.

    Names come from digests alone, so nothing that a client sends becomes a path.
    """

    def __init__(self, folder: Path) -> None:
        """Use the gallery in ``folder``; nothing is made before it is needed."""
        self._images = folder / "images"
        self._thumbnail_folder = folder / "thumbnails"
        self._thumbnails = ThumbnailFolder(self._thumbnail_folder)

    def keep_image(self, digest: str, data: bytes) -> None:
        """Store uploaded bytes durably; bytes that are stored already are not written again.

        Raises:
            StorageFullError: the disk is full.
            StorageError: the file cannot be written.
        """
        self._write(_place(self._images, digest), data)

    def keep_thumbnail(self, digest: str, data: bytes, *, side: int = THUMBNAIL_SIDE) -> None:
        """Store a thumbnail.

        Raises:
            StorageFullError: the disk is full.
            StorageError: the file cannot be written.
        """
        self._thumbnails.keep(digest, data, side=side)

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

    def thumbnail(self, item: Item, *, side: int = THUMBNAIL_SIDE) -> bytes | None:
        """Return the thumbnail, or ``None`` where it is missing or not whole."""
        return self._thumbnails.read(item.digest, side=side)

    def thumbnail_shape(self, digest: str) -> Shape | None:
        """Return width and height of the thumbnail; ``None`` where none has been made yet."""
        return self._thumbnails.shape(digest)

    def note_shape(self, digest: str, data: bytes, *, side: int) -> None:
        """Remember the shape of a thumbnail that could not be kept."""
        self._thumbnails.note_shape(digest, data, side=side)

    def places(self, digest: str) -> tuple[Path, Path]:
        """Return where the picture and the thumbnail of a content are kept, if they are."""
        return _place(self._images, digest), self._thumbnails.path(digest)

    def files(self) -> list[Path]:
        """Return every file that is kept, half-written ones included."""
        return sorted([*files_below(self._images), *files_below(self._thumbnail_folder)])

    def strays(self, files: Sequence[Path], digests: Collection[str]) -> list[Path]:
        """Return those of the kept files that belong to none of the digests."""
        known = {path for digest in digests for path in self._all_places(digest)}
        return [path for path in files if path not in known]

    def forget(self, digests: Sequence[str]) -> None:
        """Delete picture and thumbnails of digests that no item has."""
        for digest in digests:
            for path in self._all_places(digest):
                path.unlink(missing_ok=True)

    def _all_places(self, digest: str) -> list[Path]:
        return [_place(self._images, digest), *self._thumbnails.paths(digest)]

    def _write(self, path: Path, data: bytes) -> None:
        if path.exists():
            return
        with storage_errors(path):
            write_atomic(path, data)


def _place(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest
