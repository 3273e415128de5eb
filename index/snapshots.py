"""Snapshots of the index: its base, written beside the store, used only when on record.

A snapshot saves reading every vector from the store at start-up and is never the truth: when it is
missing, damaged or made for another encoder, the index is filled from the store instead.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import faiss

from core.artifacts import fsync_path, make_folder, sha256_file
from core.errors import StorageError
from index.changes import Outcome
from index.faults import reach
from index.schema import storage_errors
from index.segmented_index import SegmentedIndex
from index.store import StoreReader
from index.writer import Writer

logger = logging.getLogger(__name__)

_FOLDER = "snapshots"
_KEPT_GENERATIONS = 2


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """What the database says of a snapshot file."""

    generation: int
    file: str
    sha256: str
    bytes: int


def snapshot_folder(folder: Path) -> Path:
    """Return where the snapshots of a gallery lie."""
    return folder / _FOLDER


def write_snapshot(
    folder: Path, index: SegmentedIndex, writer: Writer, *, encoder_id: str
) -> SnapshotRow:
    """Write the index to a new file, make it durable, put it on record, search in it.

    Raises:
        StorageFullError: the disk is full; the older snapshots are untouched.
        StorageError: the file cannot be written.
    """
    target_folder = snapshot_folder(folder)
    name = f"index-{time.time_ns()}.segment"
    temporary, target = target_folder / f".{name}.tmp", target_folder / name
    with storage_errors(target):
        make_folder(target_folder)
        try:
            index.snapshot(temporary)
            reach("merge:built")
            fsync_path(temporary)
            digest, size = sha256_file(temporary), temporary.stat().st_size
            temporary.replace(target)
            fsync_path(target_folder)
            reach("snapshot:renamed")
        finally:
            temporary.unlink(missing_ok=True)
    row_ids_N = index.row_ids()
    record = _Record(
        file=name,
        sha256=digest,
        bytes=size,
        rows=len(row_ids_N),
        max_row_id=int(row_ids_N.max(initial=0)),
        encoder_id=encoder_id,
    )
    generation, kept = writer.do(record)
    reach("merge:recorded")
    index.adopt(target)
    sweep(folder, kept)
    return SnapshotRow(generation, name, digest, size)


def restore_newest(
    folder: Path, store: StoreReader, index: SegmentedIndex, *, encoder_id: str, after: int = 0
) -> int:
    """Give the index the newest base whose bytes are the recorded ones.

    An empty index gets its rows as well; one that has rows keeps them (another process merged).

    Args:
        folder: of the gallery.
        store: where the snapshots are recorded.
        index: to fill.
        encoder_id: of the collection.
        after: only generations above this one.

    Returns:
        The generation that was used, ``after`` if none was.
    """
    take = index.adopt if index.count() else index.restore
    for row in recorded(store, encoder_id=encoder_id):
        if row.generation <= after:
            break
        path = snapshot_folder(folder) / row.file
        if not _is_intact(path, row):
            reason = "missing or not the recorded bytes"
            logger.warning("snapshot refused", extra={"file": row.file, "reason": reason})
            continue
        try:
            take(path)
        except StorageError as error:
            logger.warning("snapshot refused", extra={"file": row.file, "reason": str(error)})
            continue
        return row.generation
    return after


def recorded(store: StoreReader, *, encoder_id: str) -> list[SnapshotRow]:
    """Return the snapshots on record for this encoder and FAISS release, newest first."""
    with store.connection() as connection:
        rows = connection.execute(
            "SELECT generation, file, sha256, bytes FROM snapshots "
            "WHERE encoder_id = ? AND faiss_version = ? ORDER BY generation DESC",
            (encoder_id, faiss.__version__),
        )
        return [SnapshotRow(*row) for row in rows]


def sweep(folder: Path, kept: set[str]) -> None:
    """Delete the files in the folder of snapshots that are not on record."""
    for path in snapshot_folder(folder).glob("*"):
        if path.name not in kept and path.is_file():
            logger.info("unknown snapshot file removed", extra={"file": path.name})
            with contextlib.suppress(OSError):
                path.unlink()


def recorded_files(store: StoreReader) -> set[str]:
    """Return the names of all snapshot files on record."""
    with store.connection() as connection:
        return {row[0] for row in connection.execute("SELECT file FROM snapshots")}


@dataclass(frozen=True, slots=True)
class _Record:
    """Put a snapshot on record and forget all but the newest ones."""

    file: str
    sha256: str
    bytes: int
    rows: int
    max_row_id: int
    encoder_id: str

    def __call__(self, connection: sqlite3.Connection) -> Outcome[tuple[int, set[str]]]:
        """Return the new generation and the files that stay on record."""
        cursor = connection.execute(
            "INSERT INTO snapshots (file, sha256, bytes, rows, max_row_id, encoder_id, "
            "faiss_version, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.file,
                self.sha256,
                self.bytes,
                self.rows,
                self.max_row_id,
                self.encoder_id,
                faiss.__version__,
                time.time_ns() // 1_000_000,
            ),
        )
        connection.execute(
            "DELETE FROM snapshots WHERE generation NOT IN "
            "(SELECT generation FROM snapshots ORDER BY generation DESC LIMIT ?)",
            (_KEPT_GENERATIONS,),
        )
        kept = {row[0] for row in connection.execute("SELECT file FROM snapshots")}
        return Outcome((int(cursor.lastrowid or 0), kept))


def _is_intact(path: Path, row: SnapshotRow) -> bool:
    try:
        return path.stat().st_size == row.bytes and sha256_file(path) == row.sha256
    except OSError:
        return False
