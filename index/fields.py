"""Indexed metadata fields: a table of values for each, kept by triggers, so that filters look up.

A field that is filtered on often is worth an index: without one each search reads the metadata of
every item. The table of a field holds one row for each value of an item (each element, where the
value is a list) and one of kind ``there`` where the field is not null; triggers on ``items`` keep
it in step inside every transaction, whoever writes. What a filter selects does not change.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.errors import NotFoundError, UsageError
from index.changes import Outcome
from index.filter_sql import field_path
from index.filters import ITEM_FIELDS, check_field
from index.store import StoreReader

MOST_INDEXED_FIELDS = 32
"""Each one costs a little on every write."""

_REGISTRY = """
CREATE TABLE IF NOT EXISTS fields (
    field_id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE
) STRICT
"""
_VALUES = """
SELECT 'there' AS kind, 0 AS value, row_id FROM {items}
WHERE coalesce(json_type(items.metadata, {path}), 'null') <> 'null'
UNION
SELECT CASE WHEN type IN ('integer', 'real') THEN 'number' ELSE type END, atom, row_id
FROM {items}, json_each(items.metadata, {path})
WHERE type IN ('text', 'integer', 'real', 'true', 'false')
AND json_type(items.metadata, {path}) <> 'object'
"""
_TABLE = "field_{id}"
_ONE_ROW = "(SELECT {row}.row_id AS row_id, {row}.metadata AS metadata) AS items"


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A metadata field as the items have it."""

    name: str
    items: int
    """How many have it."""
    indexed: bool


@dataclass(frozen=True, slots=True)
class IndexField:
    """A change: index a metadata field; one that is indexed already stays as it is."""

    name: str

    def __call__(self, connection: sqlite3.Connection) -> Outcome[bool]:
        """Return whether it is new.

        Raises:
            UsageError: no metadata field can have this name, or too many fields are indexed.
        """
        if check_field(self.name) in ITEM_FIELDS:
            raise UsageError(f"{self.name} needs no index; only metadata fields do", param="field")
        connection.execute(_REGISTRY)
        known = [path for (path,) in connection.execute("SELECT path FROM fields")]
        if self.name in known:
            return Outcome(False)
        if len(known) >= MOST_INDEXED_FIELDS:
            raise UsageError(
                f"{len(known)} fields are indexed, which is the limit; drop one first: "
                f"sightline fields drop {known[0]}",
                param="field",
            )
        cursor = connection.execute("INSERT INTO fields (path) VALUES (?)", (self.name,))
        _make_table(connection, _TABLE.format(id=cursor.lastrowid), self.name)
        return Outcome(True)


@dataclass(frozen=True, slots=True)
class DropField:
    """A change: forget the index of a metadata field; filters on it read every item again."""

    name: str

    def __call__(self, connection: sqlite3.Connection) -> Outcome[None]:
        """Execute it.

        Raises:
            NotFoundError: the field is not indexed.
        """
        connection.execute(_REGISTRY)
        row = connection.execute(
            "SELECT field_id FROM fields WHERE path = ?", (self.name,)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"the field {self.name!r} is not indexed", param="field")
        _drop_table(connection, _TABLE.format(id=row[0]))
        connection.execute("DELETE FROM fields WHERE path = ?", (self.name,))
        return Outcome(None)


@dataclass(frozen=True, slots=True)
class RebuildField:
    """A change: fill the table of an indexed field anew from the items."""

    name: str

    def __call__(self, connection: sqlite3.Connection) -> Outcome[None]:
        """Execute it; the field gets a new table, so that no reader sees half of it."""
        DropField(self.name)(connection)
        IndexField(self.name)(connection)
        return Outcome(None)


def field_uses(store: StoreReader) -> list[FieldUse]:
    """Return the top-level metadata fields of the items and every indexed field, by name.

    Raises:
        StorageError: the database cannot be read.
    """
    with store.frozen(), store.connection() as connection:
        counts = dict(
            connection.execute(
                "SELECT key, count(*) FROM items, json_each(items.metadata) GROUP BY key"
            )
        )
        indexed = store.indexed_fields()
        for name, table in indexed.items():
            counts[name] = _count_there(connection, table)
    return [FieldUse(name, counts[name], name in indexed) for name in sorted(counts)]


def drifted_fields(store: StoreReader) -> list[str]:
    """Return the indexed fields whose table does not hold exactly the values of the items.

    Raises:
        StorageError: the database cannot be read.
    """
    with store.frozen(), store.connection() as connection:
        indexed = store.indexed_fields()
        return [name for name, table in indexed.items() if _differs(connection, table, name)]


def _make_table(connection: sqlite3.Connection, table: str, name: str) -> None:
    delete = (
        f"DELETE FROM {table} WHERE (kind, value, row_id) IN "  # noqa: S608 - our own names
        f"({_values(name, _ONE_ROW.format(row='old'))});"
    )
    insert = f"INSERT INTO {table} {_values(name, _ONE_ROW.format(row='new'))};"
    events = {"INSERT": insert, "DELETE": delete, "UPDATE OF metadata": delete + insert}
    connection.execute(
        f"CREATE TABLE {table} (kind TEXT NOT NULL, value ANY NOT NULL, row_id INTEGER NOT NULL, "
        "PRIMARY KEY (kind, value, row_id)) STRICT, WITHOUT ROWID"
    )
    connection.execute(f"INSERT INTO {table} {_values(name)}")
    for number, (event, work) in enumerate(events.items()):
        connection.execute(
            f"CREATE TRIGGER {table}_{number} AFTER {event} ON items BEGIN {work} END"
        )


def _drop_table(connection: sqlite3.Connection, table: str) -> None:
    for number in range(3):
        connection.execute(f"DROP TRIGGER IF EXISTS {table}_{number}")
    connection.execute(f"DROP TABLE IF EXISTS {table}")


def _values(name: str, items: str = "items") -> str:
    """Return the statement that gives kind, value and row of the field for some items."""
    literal = "'" + field_path(name).replace("'", "''") + "'"
    return _VALUES.format(items=items, path=literal)


def _differs(connection: sqlite3.Connection, table: str, name: str) -> bool:
    wanted, held = _values(name), f"SELECT kind, value, row_id FROM {table}"  # noqa: S608
    for one, two in ((wanted, held), (held, wanted)):
        sql = f"SELECT EXISTS (SELECT * FROM ({one}) EXCEPT SELECT * FROM ({two}))"  # noqa: S608
        if connection.execute(sql).fetchone()[0]:
            return True
    return False


def _count_there(connection: sqlite3.Connection, table: str) -> int:
    sql = f"SELECT count(*) FROM {table} WHERE kind = 'there'"  # noqa: S608 - our own name
    return int(connection.execute(sql).fetchone()[0])
