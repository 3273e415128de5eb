"""Judgements: which items are right and which are wrong answers to a query, in the record.

A mark is made of a picture, not of a name: it holds the digest that the item had. Where the item
is deleted or has another picture now, the mark stays and does not count; it counts again when the
same picture is back under its id.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import UsageError
from index.changes import Outcome
from index.cursor import Cursor, binding_of, check_cursor, decode_cursor
from index.filters import parse_filter
from index.judged_queries import JudgedQuery, known_mode
from index.query import check_k
from index.store import StoreReader

Grade = Literal[0, 1]
GRADES: tuple[Grade, ...] = get_args(Grade)
"""0: a wrong answer, 1: a right one."""
MOST_MARKS = 1000
"""Marks of one change."""

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS judged_queries (
    query_id TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    mode TEXT NOT NULL,
    filter TEXT,
    judged_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS judgements (
    query_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    grade INTEGER NOT NULL,
    judged_ms INTEGER NOT NULL,
    PRIMARY KEY (query_id, item_id)
) STRICT, WITHOUT ROWID
""",
)
_COUNTED = """
SELECT judged_queries.query_id, text, mode, filter, judged_queries.judged_ms,
    coalesce(sum(items.id IS NOT NULL AND grade > 0), 0),
    coalesce(sum(items.id IS NOT NULL AND grade = 0), 0),
    coalesce(sum(items.id IS NULL AND judgements.item_id IS NOT NULL), 0)
FROM judged_queries
LEFT JOIN judgements ON judgements.query_id = judged_queries.query_id
LEFT JOIN items ON items.id = judgements.item_id AND items.digest = judgements.digest
"""
_GROUPED = " GROUP BY judged_queries.query_id ORDER BY judged_queries.judged_ms DESC, 1"


@dataclass(frozen=True, slots=True)
class QuerySummary:
    """A judged query and how many marks it has."""

    query: JudgedQuery
    right: int
    wrong: int
    gone: int
    """Marks of pictures that are not in the gallery now; they count nowhere."""
    judged_ms: int
    """When it was first judged, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class QueryPage:
    """Judged queries, the newest first."""

    queries: tuple[QuerySummary, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One mark."""

    item_id: str
    grade: int
    digest: str
    """sha256 of the picture that was judged."""
    judged_ms: int
    present: bool
    """Whether this picture is in the gallery now."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A change: mark items for a query, or take marks back."""

    query: JudgedQuery
    grades: Mapping[str, int | None]
    """By item id; ``None`` takes the mark back."""
    digests: Mapping[str, str] | None = None
    """Of the judged pictures, for marks that come from elsewhere; else those of the items."""

    def __post_init__(self) -> None:
        """Check the marks.

        Raises:
            UsageError: none or too many, or a grade that is neither 0 nor 1.
        """
        check_grades(self.grades)

    def __call__(self, connection: sqlite3.Connection) -> Outcome[tuple[str, ...]]:
        """Return the ids of items that the gallery does not have; nothing is kept of them."""
        for table in _TABLES:
            connection.execute(table)
        digests = self.digests
        if digests is None:
            digests = _digests(connection, list(self.grades))
        now_ms = time.time_ns() // 1_000_000
        for item_id, grade in self.grades.items():
            row = (self.query.id, item_id)
            if grade is None:
                connection.execute("DELETE FROM judgements WHERE query_id = ? AND item_id = ?", row)
            elif item_id in digests:
                connection.execute(
                    "INSERT OR REPLACE INTO judgements VALUES (?, ?, ?, ?, ?)",
                    (*row, digests[item_id], grade, now_ms),
                )
        _keep_query(connection, self.query, now_ms)
        unknown = (name for name, grade in self.grades.items() if grade is not None)
        return Outcome(tuple(name for name in unknown if name not in digests))


@dataclass(frozen=True, slots=True)
class ForgetQuery:
    """A change: take back all marks of a query."""

    query: JudgedQuery

    def __call__(self, connection: sqlite3.Connection) -> Outcome[int]:
        """Return how many there were."""
        if not _has_tables(connection):
            return Outcome(0)
        row = (self.query.id,)
        count = connection.execute("DELETE FROM judgements WHERE query_id = ?", row).rowcount
        connection.execute("DELETE FROM judged_queries WHERE query_id = ?", row)
        return Outcome(count)


def check_grades(grades: Mapping[str, int | None]) -> None:
    """Refuse marks that cannot be stored.

    Raises:
        UsageError: none or too many, or a grade that is neither 0 nor 1.
    """
    if not 1 <= len(grades) <= MOST_MARKS:
        raise UsageError(f"{len(grades)} marks; give 1 to {MOST_MARKS} at a time", param="marks")
    for item_id, grade in grades.items():
        if grade is not None and grade not in GRADES:
            raise UsageError(
                f"the grade of {item_id!r} is {grade}; give 1 (right), 0 (wrong) or null (no mark)",
                param="marks",
            )


def judged_query_page(
    store: StoreReader, *, cursor: str | None = None, limit: int = 100
) -> QueryPage:
    """Return judged queries with their counts, the newest first.

    Raises:
        QueryError: limit or cursor that cannot be answered.
        StorageError: the database cannot be read.
    """
    check_k(limit, name="limit")
    binding = binding_of("judged queries")
    where = ""
    parameters: tuple[object, ...] = ()
    if cursor is not None:
        previous = decode_cursor(cursor)
        check_cursor(previous, binding=binding, vector_D=None)
        where = " WHERE (-judged_queries.judged_ms, judged_queries.query_id) > (?, ?)"
        parameters = (-int(previous.score), previous.id)
    found = _summaries(store, f"{where}{_GROUPED} LIMIT ?", (*parameters, limit + 1))
    more = None
    if len(found) > limit:
        last = found[limit - 1]
        more = Cursor(binding, (), float(last.judged_ms), last.query.id, 0).encode()
    return QueryPage(tuple(found[:limit]), more)


def judged_queries(store: StoreReader, *, most: int | None = None) -> list[QuerySummary]:
    """Return all judged queries, or the newest ``most``, with their counts, the newest first.

    Raises:
        StorageError: the database cannot be read.
    """
    return _summaries(store, f"{_GROUPED} LIMIT ?", (-1 if most is None else most,))


def summary_of_query(store: StoreReader, query: JudgedQuery) -> QuerySummary | None:
    """Return the counts of one query, ``None`` where it has no mark.

    Raises:
        StorageError: the database cannot be read.
    """
    where = f" WHERE judged_queries.query_id = ?{_GROUPED}"
    found = _summaries(store, where, (query.id,))
    return found[0] if found else None


def judgements_of(
    store: StoreReader, queries: Sequence[JudgedQuery]
) -> dict[str, tuple[Judgement, ...]]:
    """Return the marks of each query by its id, in order of item id; also of pictures gone.

    Raises:
        StorageError: the database cannot be read.
    """
    marks: dict[str, list[Judgement]] = {query.id: [] for query in queries}
    with store.connection() as connection:
        if not _has_tables(connection):
            return dict.fromkeys(marks, ())
        rows = connection.execute(
            "SELECT query_id, item_id, grade, judgements.digest, judged_ms, items.id IS NOT NULL "
            "FROM judgements LEFT JOIN items "
            "ON items.id = judgements.item_id AND items.digest = judgements.digest "
            "WHERE query_id IN (SELECT value FROM json_each(?)) ORDER BY query_id, item_id",
            (json.dumps(list(marks)),),
        )
        for query_id, item_id, grade, digest, judged_ms, present in rows:
            mark = Judgement(item_id, grade, digest, judged_ms, bool(present))
            marks[query_id].append(mark)
    return {name: tuple(found) for name, found in marks.items()}


def _summaries(
    store: StoreReader, clauses: str, parameters: Sequence[object]
) -> list[QuerySummary]:
    with store.connection() as connection:
        if not _has_tables(connection):
            return []
        rows = connection.execute(f"{_COUNTED}{clauses}", parameters)
        return [
            QuerySummary(_query(text, mode, encoded), right, wrong, gone, judged_ms)
            for _, text, mode, encoded, judged_ms, right, wrong, gone in rows
        ]


def _query(text: str, mode: str, encoded: str | None) -> JudgedQuery:
    parsed = None if encoded is None else parse_filter(json.loads(encoded))
    return JudgedQuery(text, known_mode(mode), parsed)


def _keep_query(connection: sqlite3.Connection, query: JudgedQuery, now_ms: int) -> None:
    """Keep the query as long as it has a mark."""
    connection.execute(
        "INSERT OR IGNORE INTO judged_queries VALUES (?, ?, ?, ?, ?)",
        (query.id, query.text, query.mode, query.filter_text, now_ms),
    )
    connection.execute(
        "DELETE FROM judged_queries WHERE query_id = ? "
        "AND NOT EXISTS (SELECT 1 FROM judgements WHERE judgements.query_id = ?)",
        (query.id, query.id),
    )


def _digests(connection: sqlite3.Connection, item_ids: Sequence[str]) -> dict[str, str]:
    return dict(
        connection.execute(
            "SELECT id, digest FROM items WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(item_ids)),),
        )
    )


def _has_tables(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'judgements'").fetchone()
    return found is not None
