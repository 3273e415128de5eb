"""Searching a collection: plan, order, pages, and a second look where a write came in between.

# D = embedding dimension
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np

from core.errors import StorageError
from core.timing import timed
from core.types import FloatArray, IdArray
from index.cursor import Cursor, binding_of, check_cursor, decode_cursor, sketch_of, vector_key
from index.filters import Filter, filter_json
from index.items import Hit, SearchResult
from index.keyword import FUSED_DEPTH, fuse, match_expression, rank_words
from index.live import IndexLagsError, LiveIndex
from index.query import Mode, Term, check_k
from index.ranking import After, Ranked, Ranking, rank_rows
from index.store import StoreReader

_REMEMBERED_VECTORS = 1024
_MOST_LOOKS = 20


class Searcher:
    """Answers queries from a live index and its store."""

    def __init__(
        self,
        live: LiveIndex,
        store: StoreReader,
        *,
        settled: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """``settled`` returns a context in which index and database are equal."""
        self._live = live
        self._store = store
        self._settled = settled
        self._vectors = _RecentVectors(_REMEMBERED_VECTORS)

    def search(
        self,
        query_D: FloatArray | None,
        words: Sequence[Term],
        *,
        mode: Mode,
        k: int,
        filter: Filter | None,
        cursor: str | None,
    ) -> SearchResult:
        """Return one page. ``query_D`` is a unit vector, ``words`` are used by the word modes.

        Raises:
            QueryError: k, cursor or words that cannot be answered.
        """
        check_k(k)
        expression = "" if mode == "vector" else match_expression(words)
        binding = binding_of([mode, expression, filter_json(filter)])
        previous = None if cursor is None else decode_cursor(cursor)
        if previous is not None:
            check_cursor(previous, binding=binding, vector_D=query_D)
            query_D = self._vectors.get(previous.vector_key, query_D)
        after = None if previous is None else After(previous.score, previous.id, previous.seen)

        def answer() -> tuple[Ranking, tuple[Hit, ...]]:
            if mode == "keyword":
                condition = self._store.condition(filter)
                places = rank_words(self._store, expression, condition, count=k + 1, after=after)
                ranking = Ranking(places, "exact")
            elif mode == "hybrid":
                ranking = self._fused(query_D, expression, filter, count=k + 1, after=after)
            else:
                ranking = self._by_vector(query_D, filter, count=k + 1, after=after, items=True)
            return ranking, self._hits(ranking.places[:k])

        ranking, hits = self._consistently(answer)
        places = ranking.places
        next_cursor = None
        if len(places) > k:
            key = "" if query_D is None else self._vectors.put(query_D)
            next_cursor = Cursor(
                binding=binding,
                sketch=() if query_D is None else sketch_of(query_D),
                score=places[k - 1].score,
                id=places[k - 1].id,
                seen=k + (previous.seen if previous else 0),
                vector_key=key,
            ).encode()
        return SearchResult(hits, ranking.plan, next_cursor)

    def _by_vector(
        self,
        query_D: FloatArray | None,
        filter: Filter | None,
        *,
        count: int,
        after: After | None,
        items: bool = False,
    ) -> Ranking:
        assert query_D is not None
        allowed_N: IdArray | None = self._live.allowed(filter)
        return rank_rows(
            self._live,
            self._store,
            query_D,
            count=count,
            allowed_N=allowed_N,
            after=after,
            items=items,
        )

    def _fused(
        self,
        query_D: FloatArray | None,
        expression: str,
        filter: Filter | None,
        *,
        count: int,
        after: After | None,
    ) -> Ranking:
        condition = self._store.condition(filter)
        by_words = rank_words(self._store, expression, condition, count=FUSED_DEPTH, after=None)
        by_vector = self._by_vector(query_D, filter, count=FUSED_DEPTH, after=None)
        places = fuse(by_vector.places, by_words, count=count, after=after)
        return Ranking(places, by_vector.plan)

    def _hits(self, places: Sequence[Ranked]) -> tuple[Hit, ...]:
        items = {place.row_id: place.item for place in places if place.item is not None}
        missing = [place.row_id for place in places if place.item is None]
        if missing:
            with timed("lookup"):
                items |= self._store.items_of_rows(missing)
        if len(items) < len(places):
            raise IndexLagsError
        found = [(items[place.row_id], place) for place in places]
        return tuple(
            Hit(
                item.id,
                place.score,
                None,
                item.caption,
                item.metadata,
                item.digest,
                ranks=place.ranks,
            )
            for item, place in found
        )

    def _consistently(
        self, answer: Callable[[], tuple[Ranking, tuple[Hit, ...]]]
    ) -> tuple[Ranking, tuple[Hit, ...]]:
        """Answer at once; only where a write came in between, wait for it and answer again."""
        if not self._live.stale:
            with contextlib.suppress(IndexLagsError):
                return answer()
        for _ in range(_MOST_LOOKS):
            with contextlib.suppress(IndexLagsError), self._settled():
                return answer()
        raise StorageError(
            "the collection changed during every look at it; another process writes it faster than "
            "this one can follow: search through that process"
        )


class _RecentVectors:
    """The exact vectors of recent queries, so that later pages are scored to the same bit."""

    def __init__(self, capacity: int) -> None:
        """Keep at most ``capacity`` vectors."""
        self._capacity = capacity
        self._vectors: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, vector_D: FloatArray) -> str:
        """Remember a vector and return its key."""
        key = vector_key(vector_D)
        with self._lock:
            self._vectors[key] = np.array(vector_D)
            self._vectors.move_to_end(key)
            if len(self._vectors) > self._capacity:
                self._vectors.popitem(last=False)
        return key

    def get(self, key: str, default: FloatArray | None) -> FloatArray | None:
        """Return the remembered vector, or ``default``."""
        with self._lock:
            return self._vectors.get(key, default)
