"""Words in captions, names and metadata: full-text search, and its fusion with vector ranks.

Scores of this mode are BM25 (larger is better); fused ones are reciprocal ranks. Neither is a
cosine.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from core.errors import QueryError
from core.timing import timed
from index.filter_sql import SQLCondition
from index.items import Ranks
from index.query import Term
from index.ranking import After, Ranked
from index.store import StoreReader

FUSED_DEPTH = 1000
"""How far each of the two rankings is read for fusion, whatever k is."""
_RANK_CONSTANT = 60
"""Source: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009."""
_WORD = re.compile(r"\w+")


def match_expression(terms: Sequence[Term]) -> str:
    """Return the FTS5 expression of the text terms: any word of the positive, none of the negative.

    Raises:
        QueryError: a term that is no text, or no word to look for.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for term in terms:
        if term.text is None:
            raise QueryError(
                f"keyword search looks for words only, not for {term.label!r}; use mode vector "
                "or hybrid",
                param="mode",
            )
        # Composed, because a letter and its accent apart would be cut into two words here.
        composed = unicodedata.normalize("NFC", term.text)
        words = [f'"{word}"' for word in _WORD.findall(composed)]
        (wanted if term.weight > 0 else unwanted).extend(words)
    if not wanted:
        raise QueryError("keyword search needs a word to look for", param="query")
    expression = f"({' OR '.join(wanted)})"
    return f"{expression} NOT ({' OR '.join(unwanted)})" if unwanted else expression


def rank_words(
    store: StoreReader,
    expression: str,
    condition: SQLCondition,
    *,
    count: int,
    after: After | None,
) -> list[Ranked]:
    """Return the best ``count`` matches after ``after``: BM25 descending, then id.

    Raises:
        QueryError: SQLite has no full-text search.
    """
    if not store.has_texts:
        raise QueryError(
            "this gallery has no keyword index, because SQLite was built without FTS5; "
            "use mode vector",
            param="mode",
        )
    # bm25 is the negative of the score, and rounding makes equal texts equal on every run.
    sql = (
        "SELECT row_id, id, score FROM (SELECT items.row_id, items.id, "  # noqa: S608 - parameters
        "round(-bm25(texts), 9) AS score FROM texts JOIN items ON items.row_id = texts.rowid "
        f"WHERE texts MATCH ? AND {condition.sql}) "
        "WHERE score < ? OR (score = ? AND id > ?) ORDER BY score DESC, id LIMIT ?"
    )
    score, last_id = (1e300, "") if after is None else (after.score, after.id)
    with timed("words"), store.connection() as connection:
        rows = connection.execute(
            sql, (expression, *condition.parameters, score, score, last_id, count)
        )
        return [Ranked(*row) for row in rows]


def fuse(
    by_vector: Sequence[Ranked], by_words: Sequence[Ranked], *, after: After | None, count: int
) -> list[Ranked]:
    """Return the places by the sum of reciprocal ranks, descending, then by id."""
    vector_ranks = {place.row_id: rank for rank, place in enumerate(by_vector, start=1)}
    word_ranks = {place.row_id: rank for rank, place in enumerate(by_words, start=1)}
    ids = {place.row_id: place.id for place in (*by_vector, *by_words)}
    places = []
    for row_id, name in ids.items():
        ranks = Ranks(vector_ranks.get(row_id), word_ranks.get(row_id))
        places.append(Ranked(row_id, name, _fused_score(ranks), ranks=ranks))
    places.sort(key=lambda place: (-place.score, place.id))
    if after is not None:
        places = [place for place in places if (-place.score, place.id) > (-after.score, after.id)]
    return places[:count]


def _fused_score(ranks: Ranks) -> float:
    both = (ranks.vector, ranks.keyword)
    return sum(1 / (_RANK_CONSTANT + rank) for rank in both if rank is not None)
