"""The database of a collection: tables, connections, and what SQLite's errors mean here."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import NotFoundError, StorageError, StorageFullError
from index.items import encode_metadata

DATABASE_NAME = "collection.sqlite3"
FORMAT_VERSION = 2
"""2: metadata is stored without escapes, so that filters find fields whose name is not ASCII."""
_READABLE_VERSIONS = (1, 2)
_APPLICATION_ID = 0x53494748
_PAGE_BYTES = 8192
_BUSY_SECONDS = 30.0
_LEAST_FREE_BYTES = 65_536
_DAMAGED = (
    "{path}: {error}; if the file is damaged, restore it from a backup, or move the folder away "
    "and add the images again"
)

_TABLES = """
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE items (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    caption TEXT NOT NULL,
    metadata TEXT NOT NULL,
    source TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX items_by_digest ON items (digest);
CREATE TABLE vectors (
    row_id INTEGER PRIMARY KEY REFERENCES items (row_id),
    vector BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX files_by_id ON files (id);
CREATE TABLE snapshots (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    file TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    max_row_id INTEGER NOT NULL,
    encoder_id TEXT NOT NULL,
    faiss_version TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
"""
_TEXTS = """
CREATE VIRTUAL TABLE texts USING fts5 (
    caption, name, metadata, tokenize = 'unicode61 remove_diacritics 2'
)
"""


def connect_writer(folder: Path) -> sqlite3.Connection:
    """Open (or make) the database for the one writing connection.

    Raises:
        StorageError: not a database of ours, or of a newer release.
    """
    path = folder / DATABASE_NAME
    with storage_errors(path):
        # One thread at a time uses it: the opener, then the writer thread, then the closer.
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS
        )
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            _create_or_check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(folder: Path) -> sqlite3.Connection:
    """Open the database for reading only, beside a writer in this or another process.

    Raises:
        NotFoundError: there is no database.
        StorageError: not a database of ours, or of a newer release.
    """
    path = folder / DATABASE_NAME
    if not path.is_file():
        raise NotFoundError(
            f"{folder} is not a gallery: it has no {DATABASE_NAME}; "
            f"make one: sightline add --gallery {folder} IMAGES"
        )
    with storage_errors(path):
        # A connection that may only read never checkpoints: SQLite before 3.51.3 can lose
        # committed pages when two connections write and checkpoint at once.
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )
        try:
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def has_texts(connection: sqlite3.Connection) -> bool:
    """Return whether this collection has the full-text table (SQLite built with FTS5)."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'texts'").fetchone()
    return found is not None


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into ours.

    Raises:
        StorageFullError: the disk (or a quota) is full.
        StorageError: any other failure of reading or writing.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _storage_error(path, error) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StorageError(_DAMAGED.format(path=path, error=error)) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(path, error) from error
        raise StorageError(f"{path}: {error}") from error


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    failed = code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    # On a full disk SQLite cannot even make its shared memory, and calls that an I/O error.
    if code == sqlite3.SQLITE_FULL or (failed and _is_full(path.parent)):
        return _full(path, error)
    if failed:
        return StorageError(
            f"{path}: {error}: the disk or its file system failed; the request was refused, send "
            "it again when the disk works (the system's log tells more)"
        )
    if code == sqlite3.SQLITE_BUSY:
        return StorageError(f"{path}: {error}: another program holds the database; end it first")
    return StorageError(_DAMAGED.format(path=path, error=error))


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _LEAST_FREE_BYTES
    except OSError:
        return False


def _full(path: Path, error: Exception) -> StorageFullError:
    return StorageFullError(
        f"{path} cannot grow: {error}; nothing of the request was stored, free some space"
    )


def _create_or_check(connection: sqlite3.Connection, path: Path) -> None:
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not empty:
        if _check(connection, path) < FORMAT_VERSION:
            _migrate(connection)
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)
        if _knows_fts5(connection):
            connection.execute(_TEXTS)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _knows_fts5(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()
    return bool(row[0])


def _migrate(connection: sqlite3.Connection) -> None:
    """Write the metadata of version 1 anew, all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # The full-text table holds the words of the metadata, not its JSON: it stays.
        escaped = connection.execute(
            "SELECT row_id, metadata FROM items WHERE instr(metadata, '\\u')"
        ).fetchall()
        connection.executemany(
            "UPDATE items SET metadata = ? WHERE row_id = ?",
            [(encode_metadata(json.loads(text)), row_id) for row_id, text in escaped],
        )
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Return the format version of a database that this release reads."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION_ID:
        raise StorageError(f"{path} is a SQLite database, but not one of a gallery")
    if version not in _READABLE_VERSIONS:
        raise StorageError(
            f"{path} has format version {version}; this release reads up to {FORMAT_VERSION}: "
            "use the release that wrote it, or add the images to a new gallery"
        )
    return int(version)
