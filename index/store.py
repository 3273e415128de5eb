"""Reading the store of record: items, vectors and state, from any thread, beside the writer.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.types import FloatArray, IdArray
from index.filter_sql import EVERYTHING, SQLCondition
from index.items import FileStamp, Item
from index.schema import DATABASE_NAME, connect_reader, has_texts, storage_errors

_ITEM_COLUMNS = "items.id, items.caption, items.metadata, items.digest, items.source"
_ROWS_OF_A_READ = 8192


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What an earlier ``add`` recorded of a file."""

    stamp: FileStamp
    digest: str
    id: str


@dataclass(frozen=True, slots=True)
class VectorBlock:
    """Some rows with their vectors; the damaged ones are named apart."""

    row_ids_N: IdArray
    vectors_ND: FloatArray
    damaged: tuple[tuple[int, str], ...]
    """Row id and item id of rows whose checksum or length is wrong."""


class StoreReader:
    """A pool of read-only connections and the questions asked over them."""

    def __init__(self, folder: Path) -> None:
        """Open the first connection.

        Raises:
            NotFoundError: there is no collection in ``folder``.
            StorageError: it cannot be read by this release.
        """
        self._folder = folder
        self.path = folder / DATABASE_NAME
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._pinned = threading.local()
        first = connect_reader(folder)
        self.has_texts = has_texts(first)
        self._idle.put(first)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a read-only connection to the calling thread.

        Raises:
            StorageError: the database cannot be read.
        """
        pinned: sqlite3.Connection | None = getattr(self._pinned, "connection", None)
        if pinned is not None:
            with storage_errors(self.path):
                yield pinned
            return
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = connect_reader(self._folder)
        try:
            with storage_errors(self.path):
                yield connection
        finally:
            self._idle.put(connection)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let everything that this thread reads inside show one state of the database."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            self._pinned.connection = connection
            try:
                yield
            finally:
                self._pinned.connection = None
                connection.execute("COMMIT")

    def state(self) -> dict[str, str]:
        """Return the collection's own settings: encoder id, dimension, model."""
        with self.connection() as connection:
            return dict(connection.execute("SELECT key, value FROM state"))

    def row_ids(self, condition: SQLCondition = EVERYTHING) -> IdArray:
        """Return the row ids that the condition selects, ascending."""
        sql = f"SELECT row_id FROM items WHERE {condition.sql} ORDER BY row_id"  # noqa: S608
        with self.connection() as connection:
            rows = connection.execute(sql, condition.parameters)
            return np.fromiter((row[0] for row in rows), np.int64)

    def ids_of_rows(self, row_ids_N: IdArray) -> dict[int, str]:
        """Return the item id of each row that exists."""
        with self.connection() as connection:
            return dict(
                connection.execute(
                    "SELECT row_id, id FROM items WHERE row_id IN (SELECT value FROM json_each(?))",
                    (json.dumps(row_ids_N.tolist()),),
                )
            )

    def items_of_rows(self, row_ids: Sequence[int]) -> dict[int, Item]:
        """Return the item of each row that exists."""
        sql = (
            f"SELECT items.row_id, {_ITEM_COLUMNS} FROM items "  # noqa: S608
            "WHERE row_id IN (SELECT value FROM json_each(?))"
        )
        with self.connection() as connection:
            rows = connection.execute(sql, (json.dumps(list(row_ids)),))
            return {row[0]: _item(row[1:]) for row in rows}

    def items(self, ids: Sequence[str]) -> dict[str, Item]:
        """Return the items that exist, by their id."""
        sql = (
            f"SELECT {_ITEM_COLUMNS} FROM items "  # noqa: S608
            "WHERE id IN (SELECT value FROM json_each(?))"
        )
        with self.connection() as connection:
            rows = connection.execute(sql, (json.dumps(list(ids)),))
            return {row[0]: _item(row) for row in rows}

    def page(self, condition: SQLCondition, *, after: str, limit: int) -> list[Item]:
        """Return the first items, in order of id, whose id comes after ``after``."""
        sql = (
            f"SELECT {_ITEM_COLUMNS} FROM items WHERE id > ? AND {condition.sql} "  # noqa: S608
            "ORDER BY id LIMIT ?"
        )
        with self.connection() as connection:
            rows = connection.execute(sql, (after, *condition.parameters, limit))
            return [_item(row) for row in rows]

    def count(self, condition: SQLCondition = EVERYTHING) -> int:
        """Return how many items the condition selects."""
        sql = f"SELECT count(*) FROM items WHERE {condition.sql}"  # noqa: S608
        with self.connection() as connection:
            return int(connection.execute(sql, condition.parameters).fetchone()[0])

    def vectors(self, row_ids_N: IdArray, *, dim: int) -> Iterator[VectorBlock]:
        """Yield the vectors of the rows in blocks, each row checked against its checksum."""
        for start in range(0, len(row_ids_N), _ROWS_OF_A_READ):
            wanted = json.dumps(row_ids_N[start : start + _ROWS_OF_A_READ].tolist())
            with self.connection() as connection:
                rows = connection.execute(
                    "SELECT items.row_id, items.id, vector, checksum FROM items "
                    "LEFT JOIN vectors USING (row_id) "
                    "WHERE items.row_id IN (SELECT value FROM json_each(?))",
                    (wanted,),
                ).fetchall()
            yield _checked_block(rows, dim)

    def vectors_of_ids(self, ids: Sequence[str], *, dim: int) -> dict[str, FloatArray]:
        """Return the vectors of the items that exist and are whole, by their id."""
        with self.connection() as connection:
            rows = connection.execute(
                "SELECT row_id, id FROM items WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            ).fetchall()
        names = dict(rows)
        found: dict[str, FloatArray] = {}
        for block in self.vectors(np.array(list(names), np.int64), dim=dim):
            for row_id, vector_D in zip(block.row_ids_N.tolist(), block.vectors_ND, strict=True):
                found[names[row_id]] = vector_D
        return found

    def known_files(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """Return what is recorded of the files among ``paths``, by path."""
        with self.connection() as connection:
            rows = connection.execute(
                "SELECT path, size, mtime_ns, digest, id FROM files "
                "WHERE path IN (SELECT value FROM json_each(?))",
                (json.dumps(list(paths)),),
            )
            return {row[0]: KnownFile(FileStamp(*row[:3]), row[3], row[4]) for row in rows}

    def unreferenced(self, digests: Sequence[str]) -> list[str]:
        """Return the digests that no item has any more."""
        with self.connection() as connection:
            rows = connection.execute(
                "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT digest FROM items)",
                (json.dumps(list(digests)),),
            )
            return [row[0] for row in rows]

    def close(self) -> None:
        """Close every connection that is not lent out."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def _item(row: Sequence[str]) -> Item:
    name, caption, metadata, digest, source = row
    return Item(name, caption, json.loads(metadata), digest, source)


def _checked_block(rows: list[tuple[int, str, bytes | None, int]], dim: int) -> VectorBlock:
    good: list[tuple[int, bytes]] = []
    damaged: list[tuple[int, str]] = []
    for row_id, name, blob, checksum in rows:
        if blob is not None and len(blob) == 4 * dim and zlib.crc32(blob) == checksum:
            good.append((row_id, blob))
        else:
            damaged.append((row_id, name))
    vectors_ND = np.frombuffer(b"".join(blob for _, blob in good), "<f4").reshape(-1, dim)
    row_ids_N = np.array([row_id for row_id, _ in good], np.int64)
    return VectorBlock(row_ids_N, vectors_ND.astype(np.float32), tuple(damaged))
