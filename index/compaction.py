"""Giving space back: what deletions left in the database, its log, and files that nothing needs."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageFullError
from index.binding import binding_of_folder
from index.collection import Collection
from index.disk_use import DiskUse, measure_disk
from index.locks import WriterLock
from index.media import MediaStore
from index.schema import DATABASE_NAME, connect_writer, has_texts, storage_errors
from index.snapshots import sweep
from index.store import StoreReader

_PATIENCE_MS = 5000
"""How long a search of another process may keep the log from being emptied."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What compacting did."""

    before: DiskUse
    after: DiskUse
    files: int
    """Kept files of no item that were deleted."""
    log_emptied: bool
    """``False`` where another process was reading all the while: the log shrinks later."""


def compact(folder: Path) -> Compaction:
    """Delete stray files, build the index anew, and rewrite the database without its holes.

    Other processes may go on reading; none may write. A crash at any point loses nothing.

    Raises:
        NotFoundError: there is no gallery.
        ConflictError: another process is writing it.
        StorageFullError: there is no room for the second copy that rewriting needs.
        StorageError: the gallery cannot be read or written.
    """
    before = _measured(folder)
    _check_room(folder, before)
    rebuild_index(folder)
    # Nobody adds meanwhile: this process holds the right to write, and does nothing but this.
    with _writing(folder), contextlib.closing(StoreReader(folder)) as store:
        media = MediaStore(folder)
        strays = media.strays(media.files(), store.digests())
        for path in strays:
            path.unlink(missing_ok=True)
    emptied = _rewrite(folder)
    return Compaction(before, _measured(folder), len(strays), emptied)


def rebuild_index(folder: Path) -> None:
    """Forget every snapshot and, where there was one, write a new one from the record.

    Raises:
        NotFoundError: there is no gallery.
        ConflictError: another process is writing it.
        StorageError: it cannot be read or written.
    """
    binding = binding_of_folder(folder)
    with _writing(folder) as connection:
        forgotten = connection.execute("DELETE FROM snapshots").rowcount
        sweep(folder, set())
    if not forgotten:
        return
    with contextlib.closing(
        Collection.open(folder, encoder_id=binding.encoder_id, dim=binding.dim)
    ) as collection:
        collection.snapshot()
    with _writing(folder) as connection:
        # Opening may have merged by itself before: one generation is enough now.
        connection.execute(
            "DELETE FROM snapshots WHERE generation < (SELECT max(generation) FROM snapshots)"
        )
        sweep(folder, {row[0] for row in connection.execute("SELECT file FROM snapshots")})


def _rewrite(folder: Path) -> bool:
    """Rewrite the database; return whether its log could be emptied."""
    with _writing(folder) as connection:
        if has_texts(connection):
            connection.execute("INSERT INTO texts (texts) VALUES ('optimize')")
        connection.execute("VACUUM")
        connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the right to write, with a connection outside any collection."""
    with contextlib.ExitStack() as opened:
        opened.callback(WriterLock(folder).release)
        connection = opened.enter_context(contextlib.closing(connect_writer(folder)))
        opened.enter_context(storage_errors(folder / DATABASE_NAME))
        yield connection


def _measured(folder: Path) -> DiskUse:
    with contextlib.closing(StoreReader(folder)) as store:
        return measure_disk(folder, store)


def _check_room(folder: Path, use: DiskUse) -> None:
    # VACUUM writes a whole copy to the temporary folder and then to the log.
    needed, free = 2 * (use.database + use.log), shutil.disk_usage(folder).free
    if free < needed:
        raise StorageFullError(
            f"{folder}: rewriting the database takes {needed} bytes for a while, and {free} are "
            "free; free some space"
        )
