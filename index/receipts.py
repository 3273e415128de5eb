"""Receipts: what a write was answered, kept in the transaction of the write under the client's key.

A client that did not hear the answer sends the request again under the same key. The receipt is
there exactly where the write is, also after a crash, so it gets the first answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from index.changes import Change, Outcome
from index.store import StoreReader

MOST_RECEIPTS = 10_000
"""The newest are kept; an answer to 64 images has about 5 KB."""

ResultT = TypeVar("ResultT")
StoredT = TypeVar("StoredT")

_TABLE = """
CREATE TABLE IF NOT EXISTS receipts (
    receipt_id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer of one write."""

    key: str
    """What the client chose for the request."""
    digest: str
    """Of the request, to notice another one under the same key."""
    answer: str
    """The body of the answer."""


@dataclass(frozen=True, slots=True)
class WithReceipt(Generic[ResultT]):
    """A change that leaves a receipt of its result."""

    change: Change[ResultT]
    receipt: Callable[[ResultT], Receipt]

    def __call__(self, connection: sqlite3.Connection) -> Outcome[ResultT]:
        """Execute both; older receipts beyond the limit go."""
        outcome = self.change(connection)
        kept = self.receipt(outcome.result)
        connection.execute(_TABLE)
        cursor = connection.execute(
            "INSERT OR REPLACE INTO receipts (key, digest, answer) VALUES (?, ?, ?)",
            (kept.key, kept.digest, kept.answer),
        )
        oldest = int(cursor.lastrowid or 0) - MOST_RECEIPTS
        connection.execute("DELETE FROM receipts WHERE receipt_id <= ?", (oldest,))
        return outcome


def receipt_of(
    results: Callable[[StoredT], ResultT], receipt: Callable[[ResultT], Receipt] | None
) -> Callable[[StoredT], Receipt] | None:
    """Return what makes the receipt from the outcome that ``results`` completes."""
    if receipt is None:
        return None
    make = receipt
    return lambda stored: make(results(stored))


def find_receipt(store: StoreReader, key: str) -> Receipt | None:
    """Return the receipt of a key, ``None`` where there is none (any more).

    Raises:
        StorageError: the database cannot be read.
    """
    with store.connection() as connection:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'receipts'")
        if known.fetchone() is None:
            return None
        row = connection.execute(
            "SELECT key, digest, answer FROM receipts WHERE key = ?", (key,)
        ).fetchone()
    return None if row is None else Receipt(*row)
