"""Bytes of a gallery on disk, by what they are for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.schema import DATABASE_NAME
from index.store import StoreReader


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Sizes in bytes."""

    database: int
    """The database file without its log."""
    log: int
    """The write-ahead log: grows while long readers stand in its way; ``compact`` empties it."""
    unused: int
    """Pages inside the database that deleted rows left; ``compact`` gives them back."""
    snapshots: int
    images: int
    thumbnails: int

    @property
    def total(self) -> int:
        """Everything that the gallery takes."""
        return self.database + self.log + self.snapshots + self.images + self.thumbnails


def measure_disk(folder: Path, store: StoreReader) -> DiskUse:
    """Return what the gallery in ``folder`` takes; files that vanish meanwhile count nothing.

    Raises:
        StorageError: the database cannot be read.
    """
    with store.connection() as connection:
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return DiskUse(
        database=_size(folder / DATABASE_NAME),
        log=_size(folder / f"{DATABASE_NAME}-wal"),
        unused=page * free,
        snapshots=sum(map(_size, files_below(folder / "snapshots"))),
        images=sum(map(_size, files_below(folder / "images"))),
        thumbnails=sum(map(_size, files_below(folder / "thumbnails"))),
    )


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file in a folder and its sub-folders, none where there is no such folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent) / name


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
