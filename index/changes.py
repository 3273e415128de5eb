"""Changes of the store of record: what one write does inside its transaction.

# N = rows, D = embedding dimension

Each change runs on the writing connection and tells which rows the index gains and loses; the
writer commits, then applies them.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Generic, Protocol, TypeVar

from core.errors import NotFoundError
from core.types import FloatArray, JSONObject
from index.filter_sql import SQLCondition
from index.items import NewItem, Status, encode_metadata
from index.stored_vectors import checksum_of, is_whole

ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[ResultT_co]):
    """What a change answers, and what it means for the index."""

    result: ResultT_co
    added: list[tuple[int, FloatArray]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


class Change(Protocol[ResultT_co]):
    """One write, run inside the writer's transaction."""

    def __call__(self, connection: sqlite3.Connection) -> Outcome[ResultT_co]:
        """Execute the statements of the change."""
        ...


@dataclass(frozen=True, slots=True)
class Upsert:
    """Create or replace items; an item that is stored already as it is given stays."""

    items: Sequence[NewItem]
    texts: bool

    def __call__(self, connection: sqlite3.Connection) -> Outcome[list[Status]]:
        """Return one status for each item, in order."""
        outcome: Outcome[list[Status]] = Outcome([])
        for item in self.items:
            outcome.result.append(self._upsert(connection, item, outcome))
            if item.stamp is not None:
                stamp = item.stamp
                connection.execute(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                    (stamp.path, stamp.size, stamp.mtime_ns, item.digest, item.id),
                )
        return outcome

    def _upsert(
        self, connection: sqlite3.Connection, item: NewItem, outcome: Outcome[list[Status]]
    ) -> Status:
        content = (item.digest, item.caption, encode_metadata(item.metadata), item.source)
        old = connection.execute(
            "SELECT row_id, created_ms, digest, caption, metadata, source FROM items WHERE id = ?",
            (item.id,),
        ).fetchone()
        same = old is not None and tuple(old[2:]) == content
        if same and _vector_is_whole(connection, old[0], id=item.id):
            return Status.UNCHANGED
        now_ms = time.time_ns() // 1_000_000
        if old is not None:
            _delete_rows(connection, [old[0]], texts=self.texts)
            outcome.removed.append(old[0])
        cursor = connection.execute(
            "INSERT INTO items (id, digest, caption, metadata, source, created_ms, updated_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (item.id, *content, now_ms if old is None else old[1], now_ms),
        )
        row_id = int(cursor.lastrowid or 0)
        blob = vector_blob(item.vector_D)
        checksum = checksum_of(blob, row_id=row_id, id=item.id)
        connection.execute("INSERT INTO vectors VALUES (?, ?, ?)", (row_id, blob, checksum))
        if self.texts:
            index_text(
                connection,
                row_id,
                id=item.id,
                caption=item.caption,
                metadata=item.metadata,
                source=item.source,
            )
        outcome.added.append((row_id, item.vector_D))
        return Status.CREATED if old is None else Status.UPDATED


@dataclass(frozen=True, slots=True)
class Update:
    """Change caption or metadata of one item; its vector and row stay."""

    id: str
    caption: str | None
    metadata: JSONObject | None
    texts: bool

    def __call__(self, connection: sqlite3.Connection) -> Outcome[None]:
        """Execute it.

        Raises:
            NotFoundError: there is no such item.
        """
        row = connection.execute(
            "SELECT row_id, caption, metadata, source FROM items WHERE id = ?", (self.id,)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"there is no item {self.id!r}", param="id")
        row_id, caption, encoded, source = row
        caption = caption if self.caption is None else self.caption
        metadata = json.loads(encoded) if self.metadata is None else self.metadata
        connection.execute(
            "UPDATE items SET caption = ?, metadata = ?, updated_ms = ? WHERE row_id = ?",
            (caption, encode_metadata(metadata), time.time_ns() // 1_000_000, row_id),
        )
        if self.texts:
            connection.execute("DELETE FROM texts WHERE rowid = ?", (row_id,))
            index_text(
                connection,
                row_id,
                id=self.id,
                caption=caption,
                metadata=metadata,
                source=source,
            )
        return Outcome(None)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the items that a condition selects."""

    condition: SQLCondition
    texts: bool

    def __call__(self, connection: sqlite3.Connection) -> Outcome[int]:
        """Return how many items were deleted."""
        found = connection.execute(
            f"SELECT row_id, id FROM items WHERE {self.condition.sql}",  # noqa: S608 - compiled
            self.condition.parameters,
        ).fetchall()
        connection.executemany("DELETE FROM files WHERE id = ?", [(name,) for _, name in found])
        row_ids = [row_id for row_id, _ in found]
        _delete_rows(connection, row_ids, texts=self.texts)
        return Outcome(len(row_ids), removed=row_ids)


def vector_blob(vector_D: FloatArray) -> bytes:
    """Return a vector as it is stored: little-endian float32."""
    return vector_D.astype("<f4").tobytes()


def index_text(
    connection: sqlite3.Connection,
    row_id: int,
    *,
    id: str,
    caption: str,
    metadata: JSONObject,
    source: str | None,
) -> None:
    """Add the words of an item to the full-text table."""
    name = f"{id} {PurePath(source).name}" if source else id
    connection.execute(
        "INSERT INTO texts (rowid, caption, name, metadata) VALUES (?, ?, ?, ?)",
        (row_id, caption, name, _texts_of(metadata)),
    )


def _vector_is_whole(connection: sqlite3.Connection, row_id: int, *, id: str) -> bool:
    """Return whether the stored vector is the one that was written: adding again mends it."""
    row = connection.execute(
        "SELECT vector, checksum FROM vectors WHERE row_id = ?", (row_id,)
    ).fetchone()
    return row is not None and is_whole(*row, row_id=row_id, id=id)


def _delete_rows(connection: sqlite3.Connection, row_ids: list[int], *, texts: bool) -> None:
    rows = [(row_id,) for row_id in row_ids]
    connection.executemany("DELETE FROM vectors WHERE row_id = ?", rows)
    connection.executemany("DELETE FROM items WHERE row_id = ?", rows)
    if texts:
        connection.executemany("DELETE FROM texts WHERE rowid = ?", rows)


def _texts_of(value: object) -> str:
    """Return every text and number inside metadata, separated by line breaks."""
    if isinstance(value, dict):
        return "\n".join(filter(None, map(_texts_of, value.values())))
    if isinstance(value, list):
        return "\n".join(filter(None, map(_texts_of, value)))
    return "" if value is None or isinstance(value, bool) else str(value)
