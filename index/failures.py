"""Files that could not be added: why, and what was asked for, so that they can be tried again.

A file that failed for what it holds is not read again until it changes or is asked for anew.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.types import JSONObject
from index.changes import Outcome
from index.items import FileStamp, encode_metadata
from index.store import StoreReader

_TABLE = """
CREATE TABLE IF NOT EXISTS failures (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    lasting INTEGER NOT NULL,
    id TEXT,
    caption TEXT,
    metadata TEXT,
    failed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_COLUMNS = "path, size, mtime_ns, code, message, lasting, id, caption, metadata, failed_ms"


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be added."""

    stamp: FileStamp
    """Path and state of the file when it failed; size and time are -1 where it was not seen."""
    code: str
    """Of the error."""
    message: str
    lasting: bool
    """Whether it fails again as long as the file is the same."""
    id: str | None = None
    """What was asked for, as in :class:`index.ingest.ImageFile`."""
    caption: str | None = None
    metadata: JSONObject | None = None
    failed_ms: int = 0
    """When, in milliseconds since 1970; 0 stands for now when it is recorded."""


@dataclass(frozen=True, slots=True)
class RecordFailures:
    """A change: keep these failures, and forget those of files that are well now."""

    failed: Sequence[Failure] = ()
    mended: Sequence[str] = ()
    """Paths."""

    def __call__(self, connection: sqlite3.Connection) -> Outcome[None]:
        """Execute it."""
        connection.execute(_TABLE)
        connection.executemany(
            "DELETE FROM failures WHERE path = ?", [(path,) for path in self.mended]
        )
        connection.executemany(
            f"INSERT OR REPLACE INTO failures ({_COLUMNS}) "  # noqa: S608 - constant
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(failure) for failure in self.failed],
        )
        return Outcome(None)


def recorded_failures(store: StoreReader, paths: Sequence[str] | None = None) -> list[Failure]:
    """Return the failures of the given paths, or all of them, in order of path.

    Raises:
        StorageError: the database cannot be read.
    """
    chosen = "" if paths is None else "WHERE path IN (SELECT value FROM json_each(?))"
    parameters = () if paths is None else (json.dumps(list(paths)),)
    with store.connection() as connection:
        if not _has_table(connection):
            return []
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM failures {chosen} ORDER BY path",  # noqa: S608 - constants
            parameters,
        )
        return [_failure(row) for row in rows]


def count_failures(store: StoreReader) -> dict[str, int]:
    """Return how many files failed by the code of the error, the most frequent first.

    Raises:
        StorageError: the database cannot be read.
    """
    with store.connection() as connection:
        if not _has_table(connection):
            return {}
        rows = connection.execute(
            "SELECT code, count(*) FROM failures GROUP BY code ORDER BY count(*) DESC, code"
        )
        return {str(code): int(count) for code, count in rows}


def latest_failures(store: StoreReader, most: int) -> list[Failure]:
    """Return the failures that were recorded last, the newest first.

    Raises:
        StorageError: the database cannot be read.
    """
    with store.connection() as connection:
        if not _has_table(connection):
            return []
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM failures "  # noqa: S608 - constant
            "ORDER BY failed_ms DESC, path LIMIT ?",
            (most,),
        )
        return [_failure(row) for row in rows]


def failures_of(folder: Path) -> list[Failure]:
    """Return the failures of the gallery in a folder; no model is needed.

    Raises:
        NotFoundError: there is no gallery.
        StorageError: it cannot be read.
    """
    with contextlib.closing(StoreReader(folder)) as store:
        return recorded_failures(store)


def _has_table(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'failures'").fetchone()
    return found is not None


def _row(failure: Failure) -> tuple[object, ...]:
    stamp, metadata = failure.stamp, failure.metadata
    return (
        *(stamp.path, stamp.size, stamp.mtime_ns, failure.code, failure.message),
        *(int(failure.lasting), failure.id, failure.caption),
        None if metadata is None else encode_metadata(metadata),
        failure.failed_ms or time.time_ns() // 1_000_000,
    )


def _failure(row: Sequence[object]) -> Failure:
    path, size, mtime_ns, code, message, lasting, name, caption, metadata, failed_ms = row
    return Failure(
        stamp=FileStamp(str(path), int(str(size)), int(str(mtime_ns))),
        code=str(code),
        message=str(message),
        lasting=bool(lasting),
        id=None if name is None else str(name),
        caption=None if caption is None else str(caption),
        metadata=None if metadata is None else json.loads(str(metadata)),
        failed_ms=int(str(failed_ms)),
    )
