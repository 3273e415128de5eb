"""Reading the store of record: items, vectors and state, from any thread, beside the writer.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import StorageError
from core.types import FloatArray, IdArray
from index.filter_sql import EVERYTHING, SQLCondition, compile_filter
from index.filters import Filter
from index.items import FileStamp, Item
from index.row_sets import SelectedRows, read_row_set
from index.schema import DATABASE_NAME, connect_reader, has_texts, storage_errors
from index.stored_vectors import VectorBlock, read_vectors

_ITEM_COLUMNS = "items.id, items.caption, items.metadata, items.digest, items.source"
_ROWS_OF_A_READ = 8192


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What an earlier ``add`` recorded of a file."""

    stamp: FileStamp
    digest: str
    id: str


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
        self._idle.put(connect_reader(folder))
        with self.connection() as connection:
            self.has_texts = has_texts(connection)

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
        if getattr(self._pinned, "connection", None) is not None:
            yield
            return
        with self.connection() as connection:
            connection.execute("BEGIN")
            self._pinned.connection = connection
            try:
                yield
            finally:
                self._pinned.connection = None
                # Not COMMIT: on a damaged database that fails, even where nothing was written.
                connection.execute("ROLLBACK")

    def state(self) -> dict[str, str]:
        """Return the collection's own settings: encoder id, dimension, model."""
        with self.connection() as connection:
            return dict(connection.execute("SELECT key, value FROM state"))

    def row_ids(self, condition: SQLCondition = EVERYTHING) -> IdArray:
        """Return the row ids that the condition selects, ascending."""
        selected = SelectedRows(
            f"SELECT row_id FROM items WHERE {condition.sql}",  # noqa: S608 - compiled
            condition.parameters,
        )
        with self.frozen(), self.connection() as connection:
            return read_row_set(connection, condition.rows or selected)

    def indexed_fields(self) -> dict[str, str]:
        """Return the indexed metadata fields with the tables of their values."""
        with self.connection() as connection:
            known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'fields'")
            if known.fetchone() is None:
                return {}
            rows = connection.execute("SELECT path, 'field_' || field_id FROM fields")
            return dict(rows.fetchall())

    def condition(self, filter: Filter | None) -> SQLCondition:
        """Return the condition of a filter, which looks up the fields that are indexed."""
        return compile_filter(filter, indexed={} if filter is None else self.indexed_fields())

    def ids_of_rows(self, row_ids_N: IdArray) -> dict[int, str]:
        """Return the item id of each row that exists."""
        with self.connection() as connection:
            return dict(
                connection.execute(
                    "SELECT row_id, id FROM items WHERE row_id IN (SELECT value FROM json_each(?))",
                    (json.dumps(row_ids_N.tolist()),),
                )
            )

    def rows_of_ids(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the row of each item that exists, by its id."""
        with self.connection() as connection:
            return dict(
                connection.execute(
                    "SELECT id, row_id FROM items WHERE id IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(ids)),),
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
            chosen_N = row_ids_N[start : start + _ROWS_OF_A_READ]
            with self.connection() as connection:
                block = read_vectors(connection, chosen_N, dim=dim)
            yield block

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

    def items_of_digests(self, digests: Sequence[str]) -> list[Item]:
        """Return the items that have one of these digests, in order of id."""
        sql = (
            f"SELECT {_ITEM_COLUMNS} FROM items "  # noqa: S608
            "WHERE digest IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        with self.connection() as connection:
            rows = connection.execute(sql, (json.dumps(list(digests)),))
            return [_item(row) for row in rows]

    def captions(self) -> list[str]:
        """Return the captions of all items that have one, in order of their row."""
        with self.connection() as connection:
            rows = connection.execute(
                "SELECT caption FROM items WHERE caption != '' ORDER BY row_id"
            )
            return [row[0] for row in rows]

    def digests(self) -> set[str]:
        """Return the digests of all items."""
        with self.connection() as connection:
            return {row[0] for row in connection.execute("SELECT digest FROM items")}

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
    name, caption, encoded, digest, source = row
    try:
        metadata = json.loads(encoded)
    except ValueError as error:
        raise StorageError(
            f"the metadata of {name!r} is damaged: {error}; delete the item and add it again"
        ) from error
    return Item(name, caption, metadata, digest, source)
