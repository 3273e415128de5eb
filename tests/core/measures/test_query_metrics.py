"""Rules of core.measures.query_metrics and core.measures.judged_ranks.

# N = queries
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.measures import metrics
from core.measures.judged_ranks import JudgedRanks
from core.measures.query_metrics import micro_values, query_values

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples each time, however slow the machine."""

KS = (1, 2, 5, 30)

QUERY = st.tuples(
    st.lists(st.integers(1, 30), unique=True, max_size=8), st.lists(st.just(1.0), max_size=3)
)


@steady
@given(st.lists(QUERY, min_size=1, max_size=6))
def test_all_queries_at_once_have_the_values_of_single_lists(
    queries: list[tuple[list[int], list[float]]],
) -> None:
    """The fast path is the definition, query by query."""
    judged = JudgedRanks.of_lists(
        [ranks for ranks, _ in queries], missed_N=[missed for _, missed in queries]
    )

    values = query_values(judged, KS)

    for place, (ranks, missed) in enumerate(queries):
        one = {name: column[place] for name, column in values.items()}
        if not ranks and not missed:
            assert np.isnan(list(one.values())).all()
        else:
            relevant = len(ranks) + len(missed)
            assert one == pytest.approx(single(np.sort(ranks).astype(int), relevant), abs=1e-12)


def single(ranks_R: np.ndarray, relevant: int) -> dict[str, float]:
    """Return the values of one list by the functions of ``core.measures.metrics``."""
    judged_J = np.ones(relevant)
    values = {
        "mean_average_precision": metrics.average_precision(ranks_R, relevant=relevant),
        "mean_reciprocal_rank": metrics.reciprocal_rank(ranks_R),
        "mean_r_precision": metrics.r_precision(ranks_R, relevant=relevant),
        "ndcg": metrics.ndcg(ranks_R, judged_J=judged_J),
        "ndcg_exponential": metrics.ndcg(ranks_R, judged_J=judged_J, exponential=True),
    }
    for k in KS:
        values |= {
            f"precision@{k}": metrics.precision_at_k(ranks_R, k),
            f"recall@{k}": metrics.recall_at_k(ranks_R, k, relevant=relevant),
            f"hit@{k}": metrics.hit_at_k(ranks_R, k),
            f"capped_recall@{k}": metrics.capped_recall_at_k(ranks_R, k, relevant=relevant),
            f"f1@{k}": metrics.f1_at_k(ranks_R, k, relevant=relevant),
            f"mean_average_precision@{k}": metrics.average_precision_at_k(
                ranks_R, k, relevant=relevant
            ),
            f"mean_capped_average_precision@{k}": metrics.capped_average_precision_at_k(
                ranks_R, k, relevant=relevant
            ),
            f"mean_reciprocal_rank@{k}": metrics.reciprocal_rank(ranks_R, k=k),
            f"ndcg@{k}": metrics.ndcg(ranks_R, k=k, judged_J=judged_J),
            f"ndcg_exponential@{k}": metrics.ndcg(
                ranks_R, k=k, judged_J=judged_J, exponential=True
            ),
        }
    return values


def test_grades_weigh_as_themselves_or_as_powers_of_two() -> None:
    """Grades 0, 1, 3, 2 in that order: .62839 linear, .57735 exponential."""
    judged = JudgedRanks.of_lists([[2, 3, 4]], grades_N=[[1.0, 3.0, 2.0]])

    values = query_values(judged, [4])

    assert values["ndcg@4"][0] == pytest.approx(0.62839, abs=5e-6)
    assert values["ndcg_exponential@4"][0] == pytest.approx(0.57735, abs=5e-6)


def test_the_ideal_list_has_the_items_that_the_list_misses() -> None:
    """The best item is missing: 1 / log2(2) of 3 / log2(2) + 1 / log2(3) is left."""
    judged = JudgedRanks.of_lists([[1]], grades_N=[[1.0]], missed_N=[[3.0]])

    assert query_values(judged, [5])["ndcg@5"][0] == pytest.approx(1 / (3 + 1 / np.log2(3)))


def test_a_query_that_found_nothing_counts_as_zero_and_one_without_relevant_items_not() -> None:
    """Three queries: found, missed, nothing relevant. The mean is over two."""
    judged = JudgedRanks.of_lists([[1], [], []], missed_N=[[], [1.0], []])

    values = query_values(judged, [1])

    np.testing.assert_array_equal(values["mean_reciprocal_rank"], [1.0, 0.0, np.nan])
    assert judged.queries_without_relevant == 1
    assert judged.relevant_N.tolist() == [1, 1, 0]


def test_macro_weighs_queries_and_micro_weighs_items() -> None:
    """One query finds its only item, the other 1 of 9: macro recall 5/9, micro 2/10."""
    judged = JudgedRanks.of_lists([[1], [2]], missed_N=[[], [1.0] * 8])

    macro = query_values(judged, [5])["recall@5"].mean()
    micro = micro_values(judged, [5])

    assert macro == pytest.approx(5 / 9)
    assert micro == pytest.approx(
        {"micro_recall@5": 2 / 10, "micro_precision@5": 2 / 10, "micro_f1@5": 4 / 20}
    )


def test_the_order_in_which_ranks_are_given_changes_nothing() -> None:
    """A query's relevant items are a set."""
    one = query_values(JudgedRanks.of_lists([[7, 1, 3]], grades_N=[[2.0, 1.0, 3.0]]), [3])
    other = query_values(JudgedRanks.of_lists([[1, 3, 7]], grades_N=[[1.0, 3.0, 2.0]]), [3])

    assert {name: value.tolist() for name, value in one.items()} == {
        name: value.tolist() for name, value in other.items()
    }


def test_ranks_of_each_query_are_given_back_sorted() -> None:
    """Also of a query without any, at either end."""
    judged = JudgedRanks.of_lists([[], [4, 2], [1], []])

    assert judged.per_query() == [[], [2, 4], [1], []]
    assert JudgedRanks.of_lists([]).per_query() == []


@pytest.mark.parametrize(
    ("ranks", "grades", "message"),
    [
        ([0], [1.0], "counted from 1"),
        ([2, 2], [1.0, 1.0], "two relevant items at one rank"),
        ([1], [0.0], "above 0"),
        ([1, 2], [1.0], "expected as many"),
    ],
)
def test_ranks_that_cannot_be_are_refused(
    ranks: list[int], grades: list[float], message: str
) -> None:
    """A rank of 0, two items at one place, a grade of 0, and lengths that differ."""
    with pytest.raises(UsageError, match=message):
        JudgedRanks.of_lists([ranks], grades_N=[grades])


@pytest.mark.parametrize("ks", [[], [0], [5, -1]])
def test_a_cut_off_is_one_or_more(ks: list[int]) -> None:
    """None at all is refused too."""
    with pytest.raises(UsageError, match="one or more"):
        query_values(JudgedRanks.of_lists([[1]]), ks)
