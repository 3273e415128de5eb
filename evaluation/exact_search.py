"""Exact search for many queries: the rank of every relevant item, and the best k, tile by tile.

The order is that of ``evaluation.ranking``: score descending in float32, then id ascending. Scores
of a tile come from a float32 product; where that is too close to call, from ``exact_scores``. So
the ranks are those of scores summed in float64, at the speed of float32, and the memory is that of
the embeddings and one tile, whatever the size of the gallery.

# N = queries, M = gallery items, D = embedding dimension, T = relevant pairs, K = best places kept,
# P = pairs of rows, n and m = rows and columns of a tile
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.judged_ranks import JudgedRanks
from core.progress import ProgressFactory, silent
from core.types import FloatArray, IdArray
from evaluation.best_items import BestItems
from evaluation.exact_scores import check_embeddings, quick_error
from evaluation.ranking import id_places
from evaluation.relevant_counts import RelevantCounts

TILE_SCORES = 1 << 22
"""Scores in memory at once: 16 MiB, large enough for the product to run at full speed."""
_TILE_COLUMNS = 8192


@dataclass(frozen=True, slots=True)
class ExactRanking:
    """What exact search found."""

    judged: JudgedRanks
    top_NK: IdArray
    """Columns of the best items, best first; -1 where a query has fewer."""
    top_scores_NK: FloatArray
    """Their scores; minus infinity where a query has fewer."""

    def tied_at_k(self, k: int) -> int:
        """Return how many queries are cut between equal scores at k: there the id decides.

        Raises:
            UsageError: the best k + 1 were not kept.
        """
        if not 1 <= k < self.top_scores_NK.shape[1]:
            raise UsageError(
                f"k = {k}, but the best {self.top_scores_NK.shape[1]} were kept: keep k + 1 or more"
            )
        inside_N, outside_N = self.top_scores_NK[:, k - 1], self.top_scores_NK[:, k]
        return int(np.count_nonzero((inside_N == outside_N) & np.isfinite(outside_N)))


def exact_ranks(
    queries_ND: FloatArray,
    gallery_MD: FloatArray,
    gallery_ids: Sequence[str],
    relevant_N: Sequence[Sequence[int]],
    *,
    grades_N: Sequence[Sequence[float]] | None = None,
    excluded_N: Sequence[Sequence[int]] | None = None,
    top: int = 0,
    tile_scores: int = TILE_SCORES,
    progress: ProgressFactory = silent,
) -> ExactRanking:
    """Rank the relevant items of every query among the whole gallery.

    Args:
        queries_ND: embeddings.
        gallery_MD: embeddings.
        gallery_ids: one per row of the gallery, none twice.
        relevant_N: columns of the gallery that are relevant to each query; may be empty.
        grades_N: grade of each of them, above 0; by default 1.
        excluded_N: columns that are no answer to a query, such as the query itself: they are left
            out before anything is counted, of what is relevant too.
        top: how many of the best items to return for each query; capped at M.
        tile_scores: scores in memory at once.
        progress: shows how far it is.

    Raises:
        UsageError: shapes do not fit, ids are repeated, a column does not exist, or an embedding
            is not finite.
    """
    check_embeddings(queries_ND, gallery_MD)
    places_M = id_places(gallery_ids)
    if len(places_M) != len(gallery_MD):
        raise UsageError(f"{len(places_M)} ids for {len(gallery_MD)} embeddings of the gallery")
    excluded = _pairs(excluded_N or [()] * len(queries_ND), queries_ND, gallery_MD)
    judged, grades_T = _without(
        excluded, _pairs(relevant_N, queries_ND, gallery_MD), _grades(relevant_N, grades_N)
    )
    error = quick_error(queries_ND, gallery_MD)
    counts = RelevantCounts(queries_ND, gallery_MD, places_M, judged.rows_P, judged.columns_P)
    items = BestItems(queries_ND, gallery_MD, places_M, count=min(top, len(gallery_MD)))
    with progress("search exactly", total=len(queries_ND), unit="queries") as shown:
        for tile in _tiles(queries_ND, gallery_MD, tile_scores):
            _exclude(tile, excluded)
            counts.add(tile.scores_nm, tile.row, tile.column, error=error)
            items.add(tile.scores_nm, tile.row, tile.column, error=error, last=tile.last)
            if tile.last:
                shown.advance(len(tile.scores_nm))
    return ExactRanking(
        judged=JudgedRanks.of_flat(
            judged.rows_P,
            counts.ranks_T,
            grades_T=grades_T,
            judged_query_J=judged.rows_P,
            judged_grades_J=grades_T,
            queries=len(queries_ND),
        ),
        top_NK=items.columns_NK,
        top_scores_NK=items.scores_NK,
    )


@dataclass(frozen=True, slots=True)
class _Tile:
    """Quick scores of some rows with some columns."""

    scores_nm: FloatArray
    row: int
    """Number of the first row."""
    column: int
    last: bool
    """Whether it ends these rows."""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of a query and an item, sorted by query."""

    rows_P: IdArray
    columns_P: IdArray

    def keys(self) -> IdArray:
        """Return one number per pair."""
        return (self.rows_P << 32) + self.columns_P


def _tiles(queries_ND: FloatArray, gallery_MD: FloatArray, tile_scores: int) -> Iterator[_Tile]:
    """Yield every tile; the array is written over by the next one."""
    columns = max(1, min(_TILE_COLUMNS, len(gallery_MD), tile_scores))
    rows = max(1, min(len(queries_ND), tile_scores // columns))
    buffer = np.empty(rows * columns, np.float32)
    for row in range(0, len(queries_ND), rows):
        queries_nD = np.ascontiguousarray(queries_ND[row : row + rows], np.float32)
        for column in range(0, len(gallery_MD), columns):
            items_mD = np.asarray(gallery_MD[column : column + columns], np.float32)
            size = (len(queries_nD), len(items_mD))
            scores_nm = buffer[: size[0] * size[1]].reshape(size)
            np.matmul(queries_nD, items_mD.T, out=scores_nm)
            yield _Tile(scores_nm, row, column, column + columns >= len(gallery_MD))


def _exclude(tile: _Tile, excluded: _Pairs) -> None:
    """Put what is no answer below everything."""
    height, width = tile.scores_nm.shape
    part = slice(*np.searchsorted(excluded.rows_P, [tile.row, tile.row + height]))
    columns_P = excluded.columns_P[part] - tile.column
    inside_P = (columns_P >= 0) & (columns_P < width)
    tile.scores_nm[excluded.rows_P[part][inside_P] - tile.row, columns_P[inside_P]] = -np.inf


def _pairs(
    columns_N: Sequence[Sequence[int]], queries_ND: FloatArray, gallery_MD: FloatArray
) -> _Pairs:
    """Flatten the columns of each query.

    Raises:
        UsageError: not one list per query, a column out of range or twice.
    """
    if len(columns_N) != len(queries_ND):
        raise UsageError(f"{len(columns_N)} lists for {len(queries_ND)} queries: expected as many")
    rows_P = np.repeat(np.arange(len(columns_N)), [len(columns) for columns in columns_N])
    columns_P = np.array([column for columns in columns_N for column in columns], np.int64)
    if len(columns_P) and not 0 <= columns_P.min() <= columns_P.max() < len(gallery_MD):
        raise UsageError(f"a relevant item is outside of the gallery's 0 to {len(gallery_MD) - 1}")
    pairs = _Pairs(rows_P.astype(np.int64), columns_P)
    if len(np.unique(pairs.keys())) != len(columns_P):
        raise UsageError("a query names an item twice; name each item once")
    return pairs


def _without(
    excluded: _Pairs, judged: _Pairs, grades_T: NDArray[np.float64]
) -> tuple[_Pairs, NDArray[np.float64]]:
    """Return the relevant pairs, and their grades, that are no excluded ones."""
    kept_T = ~np.isin(judged.keys(), excluded.keys())
    return _Pairs(judged.rows_P[kept_T], judged.columns_P[kept_T]), grades_T[kept_T]


def _grades(
    relevant_N: Sequence[Sequence[int]], grades_N: Sequence[Sequence[float]] | None
) -> NDArray[np.float64]:
    if grades_N is None:
        return np.ones(sum(len(relevant) for relevant in relevant_N))
    if [len(grades) for grades in grades_N] != [len(relevant) for relevant in relevant_N]:
        raise UsageError("grades and relevant items differ in number: one grade for each item")
    return np.array([grade for grades in grades_N for grade in grades], np.float64)
