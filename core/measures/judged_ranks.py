"""Where the relevant items of many queries came: all that a ranked metric needs.

Relevance is a set, with a grade for each item in it: a query may have many relevant items, or none.

# N = queries, T = relevant items found, J = relevant items in all, found or not
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray


@dataclass(frozen=True, slots=True)
class JudgedRanks:
    """Ranks and grades of the relevant items of N queries, one query after the other."""

    query_T: IdArray
    """Which query each found item is relevant to; ascending."""
    ranks_T: IdArray
    """Its rank, from 1; ascending within a query."""
    grades_T: NDArray[np.float64]
    """Its grade, above 0; 1 where relevance is yes or no."""
    judged_query_J: IdArray
    """The same of all relevant items, the ones that a list misses too."""
    judged_grades_J: NDArray[np.float64]
    """Their grades; descending within a query."""
    queries: int
    """N; the ones without anything relevant too."""

    @staticmethod
    def of_lists(
        ranks_N: Sequence[Sequence[int]],
        *,
        grades_N: Sequence[Sequence[float]] | None = None,
        missed_N: Sequence[Sequence[float]] | None = None,
    ) -> JudgedRanks:
        """Return the ranks of N queries from a list of ranks each.

        Args:
            ranks_N: ranks of the relevant items that were found, in any order, from 1.
            grades_N: grade of each of them; by default 1.
            missed_N: grades of the relevant items that the list does not hold; by default none.

        Raises:
            UsageError: lengths differ, a rank below 1 or twice in a query, a grade not above 0.
        """
        grades_N = [[1.0] * len(ranks) for ranks in ranks_N] if grades_N is None else grades_N
        missed_N = [()] * len(ranks_N) if missed_N is None else missed_N
        query_T = _numbers(ranks_N)
        judged_N = [[*own, *missed] for own, missed in zip(grades_N, missed_N, strict=True)]
        return JudgedRanks.of_flat(
            query_T,
            np.array([rank for ranks in ranks_N for rank in ranks], np.int64),
            grades_T=np.array([grade for grades in grades_N for grade in grades], np.float64),
            judged_query_J=_numbers(judged_N),
            judged_grades_J=np.array([one for grades in judged_N for one in grades], np.float64),
            queries=len(ranks_N),
        )

    @staticmethod
    def of_flat(
        query_T: IdArray,
        ranks_T: IdArray,
        *,
        grades_T: NDArray[np.float64],
        judged_query_J: IdArray,
        judged_grades_J: NDArray[np.float64],
        queries: int,
    ) -> JudgedRanks:
        """Return the ranks of N queries from flat arrays in any order.

        Raises:
            UsageError: lengths differ, a rank below 1 or twice in a query, a grade not above 0.
        """
        if not len(query_T) == len(ranks_T) == len(grades_T):
            raise UsageError(f"{len(ranks_T)} ranks and {len(grades_T)} grades: expected as many")
        order_T = np.lexsort((ranks_T, query_T))
        query_T, ranks_T, grades_T = query_T[order_T], ranks_T[order_T], grades_T[order_T]
        if len(ranks_T) and ranks_T.min() < 1:
            raise UsageError(f"rank = {ranks_T.min()}: ranks are counted from 1")
        if np.any((np.diff(ranks_T) == 0) & (np.diff(query_T) == 0)):
            raise UsageError("a query has two relevant items at one rank; each item has its own")
        if len(judged_grades_J) and not judged_grades_J.min() > 0:
            raise UsageError(
                f"grade = {judged_grades_J.min()}: relevant items have grades above 0; leave the "
                "others out"
            )
        order_J = np.lexsort((-judged_grades_J, judged_query_J))
        return JudgedRanks(
            query_T=query_T,
            ranks_T=ranks_T,
            grades_T=grades_T,
            judged_query_J=judged_query_J[order_J],
            judged_grades_J=judged_grades_J[order_J],
            queries=queries,
        )

    @property
    def relevant_N(self) -> IdArray:  # noqa: N802 - the shape is in the name
        """R of each query: its relevant items, found or not."""
        return np.bincount(self.judged_query_J, minlength=self.queries)

    @property
    def queries_without_relevant(self) -> int:
        """Queries that no metric has a value for."""
        return int(np.count_nonzero(self.relevant_N == 0))

    def place_T(self) -> IdArray:  # noqa: N802 - the shape is in the name
        """Return the place of each found item among its query's found items, from 1."""
        return _places(self.query_T)

    def ideal_rank_J(self) -> IdArray:  # noqa: N802 - the shape is in the name
        """Return the rank of each relevant item in the best possible list, from 1."""
        return _places(self.judged_query_J)

    def per_query(self) -> list[list[int]]:
        """Return the ranks of each query as a list."""
        ends = np.cumsum(np.bincount(self.query_T, minlength=self.queries))
        return [part.tolist() for part in np.split(self.ranks_T, ends[:-1])] if len(ends) else []


def _numbers(lists: Sequence[Sequence[float]]) -> IdArray:
    """Return for each entry of each list which list it is in."""
    return np.repeat(np.arange(len(lists)), [len(entries) for entries in lists]).astype(np.int64)


def _places(query_T: IdArray) -> IdArray:
    """Return the place, from 1, of each entry among the neighbours of the same query."""
    counts_N = np.bincount(query_T)
    starts_N = np.cumsum(counts_N) - counts_N
    places_T: IdArray = np.arange(len(query_T)) - starts_N[query_T] + 1
    return places_T
