"""Exact order out of candidates: score descending, then id ascending, on every page.

# D = embedding dimension, K = candidates
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.timing import timed
from core.types import FloatArray, IdArray
from index.items import Item, Ranks
from index.live import IndexLagsError, LiveIndex
from index.store import StoreReader

_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Ranked:
    """One place of a ranking."""

    row_id: int
    id: str
    score: float
    item: Item | None = None
    """The item, where it was read to find the id."""
    ranks: Ranks | None = None
    """Of a place in the fusion of two rankings."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Places in order, and how the index found them."""

    places: list[Ranked]
    plan: str


@dataclass(frozen=True, slots=True)
class After:
    """Where an earlier page ended."""

    score: float
    id: str
    seen: int
    """Hits given out so far: a hint only."""


def rank_rows(
    live: LiveIndex,
    store: StoreReader,
    query_D: FloatArray,
    *,
    count: int,
    allowed_N: IdArray | None,
    after: After | None,
    items: bool = False,
) -> Ranking:
    """Return the first ``count`` places after ``after``; fewer only where no more exist.

    With ``items`` the places come with their items, which takes one statement and not two.

    The index is asked for more candidates until all that belong into the answer are certain to be
    among them, ties at the cut included.

    Raises:
        IndexLagsError: the index and the database differ at the moment.
    """
    fetch = count + (after.seen if after else 0)
    while True:
        fetch = min(fetch, max(live.index.count(), count))
        found = live.candidates(query_D, count=fetch, allowed_N=allowed_N)
        complete = found.floor == -np.inf
        certain_K = found.scores_K > found.floor
        if after is not None:
            certain_K &= found.scores_K <= np.float32(after.score)
        rows_K, scores_K = found.row_ids_K[certain_K], found.scores_K[certain_K]
        if complete or len(rows_K) >= count:
            places = _ordered(store, rows_K, scores_K, count=count, after=after, items=items)
            if complete or len(places) >= count:
                return Ranking(places[:count], found.plan)
        fetch *= _GROWTH


def _ordered(
    store: StoreReader,
    rows_K: IdArray,
    scores_K: FloatArray,
    *,
    count: int,
    after: After | None,
    items: bool,
) -> list[Ranked]:
    """Sort what can be in the first ``count`` places; ids are looked up for these alone."""
    # Rows that tie with the cursor may all lie before it, so they do not count.
    below_K = scores_K if after is None else scores_K[scores_K < np.float32(after.score)]
    if len(below_K) > count:
        cut = -np.partition(-below_K, count - 1)[count - 1]
        chosen_K = scores_K >= cut
        rows_K, scores_K = rows_K[chosen_K], scores_K[chosen_K]
    # Thousands may tie at the cut: of those the id alone is read.
    found: dict[int, Item] = {}
    with timed("lookup"):
        if items and len(rows_K) <= 2 * count:
            found = store.items_of_rows(rows_K.tolist())
            ids = {row_id: item.id for row_id, item in found.items()}
        else:
            ids = store.ids_of_rows(rows_K)
    if len(ids) < len(rows_K):
        raise IndexLagsError
    places = [
        Ranked(row_id, ids[row_id], score, found.get(row_id))
        for row_id, score in zip(rows_K.tolist(), scores_K.tolist(), strict=True)
    ]
    places.sort(key=lambda place: (-place.score, place.id))
    if after is None:
        return places
    return [place for place in places if (-place.score, place.id) > (-after.score, after.id)]
