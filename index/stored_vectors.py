"""Stored vectors: their checksum, and reading them around pages that are damaged.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from core.types import FloatArray, IdArray

_Row = tuple[int, str, object, object]


@dataclass(frozen=True, slots=True)
class VectorBlock:
    """Some rows with their vectors; the damaged ones are named apart."""

    row_ids_N: IdArray
    vectors_ND: FloatArray
    damaged: tuple[tuple[int, str], ...]
    """Row id and item id of rows that cannot be read or whose checksum or length is wrong."""


def checksum_of(blob: bytes, *, row_id: int, id: str) -> int:
    """Return the CRC-32 that is stored with a vector.

    It covers the keys as well: a flipped bit in a row id or an id would else give an item the
    vector of another.
    """
    return zlib.crc32(blob, zlib.crc32(f"{row_id} {id}".encode()))


def is_whole(blob: object, checksum: object, *, row_id: int, id: str) -> TypeGuard[bytes]:
    """Return whether these are the bytes that were written for this row and item."""
    if not isinstance(blob, bytes):
        return False
    if checksum == checksum_of(blob, row_id=row_id, id=id):
        return True
    # Format 1 covered the vector alone; its rows stay as they are until they are replaced.
    return checksum == zlib.crc32(blob)


def read_vectors(connection: sqlite3.Connection, row_ids_N: IdArray, *, dim: int) -> VectorBlock:
    """Return the vectors (N, D) of the rows that exist.

    Raises:
        sqlite3.Error: the database cannot be read at all.
    """
    rows, damaged = _read(connection, row_ids_N.tolist())
    good: list[tuple[int, bytes]] = []
    for row_id, name, blob, checksum in rows:
        if is_whole(blob, checksum, row_id=row_id, id=name) and len(blob) == 4 * dim:
            good.append((row_id, blob))
        else:
            damaged.append((row_id, name))
    vectors_ND = np.frombuffer(b"".join(blob for _, blob in good), "<f4").reshape(-1, dim)
    return VectorBlock(
        np.array([row_id for row_id, _ in good], np.int64),
        vectors_ND.astype(np.float32),
        tuple(damaged),
    )


def _read(
    connection: sqlite3.Connection, row_ids: list[int]
) -> tuple[list[_Row], list[tuple[int, str]]]:
    """Return the rows, and those that lie in a damaged page: found by halving."""
    try:
        rows = connection.execute(
            "SELECT items.row_id, items.id, vector, checksum FROM items "
            "LEFT JOIN vectors USING (row_id) "
            "WHERE items.row_id IN (SELECT value FROM json_each(?))",
            (json.dumps(row_ids),),
        ).fetchall()
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        if len(row_ids) == 1:
            return [], [(row_ids[0], _name(connection, row_ids[0]))]
        half = len(row_ids) // 2
        first, second = _read(connection, row_ids[:half]), _read(connection, row_ids[half:])
        return first[0] + second[0], first[1] + second[1]
    return rows, []


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    # Python itself refuses text that is not UTF-8, without a code.
    return code is None or code & 0xFF == sqlite3.SQLITE_CORRUPT


def _name(connection: sqlite3.Connection, row_id: int) -> str:
    sql = "SELECT CAST(id AS BLOB) FROM items WHERE row_id = ?"
    try:
        (name,) = connection.execute(sql, (row_id,)).fetchone() or (b"",)
    except sqlite3.DatabaseError:
        name = b""
    return name.decode(errors="replace") or f"row {row_id}"
