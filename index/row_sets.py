"""Sets of rows that a filter selects, put together from lookups without touching the items.

# N = rows
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np

from core.types import IdArray


@dataclass(frozen=True, slots=True)
class SelectedRows:
    """The rows that a statement returns; it may return one several times."""

    sql: str
    """Returns one column ``row_id``."""
    parameters: tuple[str | int | float, ...] = ()


@dataclass(frozen=True, slots=True)
class CommonRows:
    """The rows that are in every part; without parts all rows."""

    parts: tuple[RowSet, ...]


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """The rows that are in any part."""

    parts: tuple[RowSet, ...]


@dataclass(frozen=True, slots=True)
class OtherRows:
    """The rows that are not in the part."""

    part: RowSet


RowSet: TypeAlias = SelectedRows | CommonRows | JoinedRows | OtherRows

EVERY_ROW = SelectedRows("SELECT row_id FROM items")


def read_row_set(connection: sqlite3.Connection, rows: RowSet) -> IdArray:
    """Return the row ids of a set, ascending and each once.

    The caller sees to it that every read shows one state of the database.
    """
    if isinstance(rows, SelectedRows):
        return _selected(connection, rows)
    if isinstance(rows, OtherRows):
        other_N = read_row_set(connection, rows.part)
        return np.setdiff1d(_selected(connection, EVERY_ROW), other_N, assume_unique=True)
    parts = [read_row_set(connection, part) for part in rows.parts]
    if isinstance(rows, CommonRows):
        if not parts:
            return _selected(connection, EVERY_ROW)
        return reduce(lambda one, two: np.intersect1d(one, two, assume_unique=True), parts)
    return reduce(np.union1d, parts, np.empty(0, np.int64))


def _selected(connection: sqlite3.Connection, rows: SelectedRows) -> IdArray:
    # One text of all the numbers is an order of magnitude quicker than one Python object a row.
    sql = f"SELECT group_concat(row_id) FROM ({rows.sql})"  # noqa: S608 - compiled
    (numbers,) = connection.execute(sql, rows.parameters).fetchone()
    return np.unique(np.fromstring(numbers or "", np.int64, sep=","))
