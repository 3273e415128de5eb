"""The values of a metadata field with how many items have each: what a filter can be made of."""

from __future__ import annotations

from dataclasses import dataclass

from index.filter_sql import field_path
from index.filters import Scalar, check_field
from index.store import StoreReader

MOST_VALUES = 1000
"""Of one answer; nobody chooses among more."""

_COUNTS = """
SELECT kind, value, count(DISTINCT row_id) AS items FROM ({values})
WHERE kind IN ('text', 'number', 'true', 'false')
GROUP BY kind, value ORDER BY items DESC, kind, value LIMIT ?
"""
_READ = """
SELECT CASE WHEN type IN ('integer', 'real') THEN 'number' ELSE type END AS kind,
       atom AS value, row_id
FROM items, json_each(items.metadata, ?)
WHERE coalesce(json_type(items.metadata, ?), 'null') <> 'object'
"""


@dataclass(frozen=True, slots=True)
class ValueUse:
    """A value of a metadata field as the items have it."""

    value: Scalar
    items: int
    """How many have it, alone or in a list."""


def field_values(store: StoreReader, name: str, *, limit: int) -> list[ValueUse]:
    """Return the values of a field, the most frequent first; of an unknown field there are none.

    An indexed field is looked up in its table, any other one reads the metadata of every item.

    Raises:
        QueryError: no metadata field can have this name.
        StorageError: the database cannot be read.
    """
    path = field_path(check_field(name))
    with store.frozen(), store.connection() as connection:
        table = store.indexed_fields().get(name)
        source = f"SELECT kind, value, row_id FROM {table}" if table else _READ  # noqa: S608
        parameters = () if table else (path, path)
        rows = connection.execute(_COUNTS.format(values=source), (*parameters, limit))
        return [ValueUse(_value(kind, value), items) for kind, value, items in rows]


def _value(kind: str, value: Scalar) -> Scalar:
    """Return the value as JSON has it; SQLite keeps truth values as 0 and 1."""
    return kind == "true" if kind in {"true", "false"} else value
