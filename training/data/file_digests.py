"""Digests of pictures that are read again only when they changed.

A ledger (SQLite) remembers the digest of each picture with the size and the time of the file. A
picture that is gone keeps the digest that it had: what was computed from it is still right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.artifacts import sha256_bytes
from core.errors import ImageError, NotFoundError, TrainingError
from core.pairs.image_file import ImageFile
from core.prefetch import prefetched
from encoders.decoding import read_image_file

UNREADABLE = "unreadable"
"""Stands for the digest of a picture that cannot be read and never was."""

_TABLE = "CREATE TABLE IF NOT EXISTS digests (image TEXT PRIMARY KEY, stamp TEXT, digest TEXT)"
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class FileDigests:
    """The sha256 of pictures."""

    ledger: Path
    """Its file; it may be deleted, which costs reading every picture once."""
    workers: int = 1
    """Threads that read."""

    def of(self, images: Sequence[ImageFile], *, also_gone: bool = True) -> list[str]:
        """Return the sha256 of each picture, in order.

        With ``also_gone`` a picture that is not there any more has the digest it had.

        Raises:
            TrainingError: the ledger cannot be read or written.
        """
        try:
            self.ledger.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.ledger, timeout=_LOCK_SECONDS)) as database:
                database.execute(_TABLE)
                return self._looked_up(database, images, also_gone=also_gone)
        except (sqlite3.Error, OSError) as error:
            raise TrainingError(
                f"the digests of pictures in {self.ledger} cannot be used: {error}; delete the "
                "file, or make room"
            ) from error

    def _looked_up(
        self, database: sqlite3.Connection, images: Sequence[ImageFile], *, also_gone: bool
    ) -> list[str]:
        names = [_name(image) for image in images]
        stamps = [_stamp(image) for image in images]
        found: list[str] = []
        for name, stamp in zip(names, stamps, strict=True):
            row = database.execute("SELECT stamp, digest FROM digests WHERE image = ?", (name,))
            known = row.fetchone() or ("", "")
            same = stamp == known[0] or (also_gone and not stamp)
            found.append(known[1] if same else "")
        missing = [number for number, digest in enumerate(found) if not digest]
        news = self._computed([images[number] for number in missing])
        for number, digest in zip(missing, news, strict=True):
            found[number] = digest
        database.executemany(
            "INSERT OR REPLACE INTO digests VALUES (?, ?, ?)",
            [
                (names[number], stamps[number], found[number])
                for number in missing
                if found[number] != UNREADABLE
            ],
        )
        database.commit()
        return found

    def _computed(self, images: Sequence[ImageFile]) -> Iterator[str]:
        return prefetched(_digest, images, workers=self.workers)


def _name(image: ImageFile) -> str:
    if isinstance(image, Path):
        return str(image.absolute())
    return f"{image.container.absolute()}!{image.name}"


def _stamp(image: ImageFile) -> str:
    """Return what changes with the file; empty for one that is gone."""
    path = image if isinstance(image, Path) else image.container
    try:
        status = path.stat()
    except OSError:
        return ""
    inner = "" if isinstance(image, Path) else f" {image.stamp}"
    return f"{status.st_size} {status.st_mtime_ns}{inner}"


def _digest(image: ImageFile) -> str:
    try:
        return sha256_bytes(read_image_file(image))
    except (ImageError, NotFoundError):
        return UNREADABLE
