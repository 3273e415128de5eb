"""Rules of evaluation.retrieval_curves: what plots are drawn from, worked out by hand."""

from __future__ import annotations

import pytest

from core.measures.judged_ranks import JudgedRanks
from evaluation.retrieval_curves import (
    first_rank_histogram,
    precision_recall,
    rank_curve,
    score_thresholds,
)

SEED = JudgedRanks.of_lists([[1, 2, 6, 8]])
"""T T F F F T F T with four relevant items."""


def test_the_ranked_list_of_the_issue_is_its_curve() -> None:
    """Precision 1, 1, 2/3, 1/2 ... and recall 1/4, 1/2 ... to 1."""
    curve = rank_curve(SEED, length=8)

    assert [row["precision"] for row in curve] == pytest.approx(  # type: ignore[index,call-overload]  # JSON
        [1, 1, 2 / 3, 1 / 2, 2 / 5, 1 / 2, 3 / 7, 1 / 2]
    )
    assert [row["recall"] for row in curve] == pytest.approx(  # type: ignore[index,call-overload]  # JSON
        [0.25, 0.5, 0.5, 0.5, 0.5, 0.75, 0.75, 1.0]
    )


def test_queries_without_relevant_items_are_in_no_mean() -> None:
    """One query finds its item at rank 2; the other has nothing to find."""
    curve = rank_curve(JudgedRanks.of_lists([[2], []]), length=2)

    assert [row["hit"] for row in curve] == [0.0, 1.0]  # type: ignore[index,call-overload]  # JSON


def test_interpolated_precision_is_the_best_at_that_recall_or_more() -> None:
    """1 up to recall .5, then .5: the value of the reference, .772727 on the mean."""
    found = [row["precision"] for row in precision_recall(SEED)]  # type: ignore[index,call-overload]  # JSON

    assert found == [1.0] * 6 + [0.5] * 5
    assert sum(found) / 11 == pytest.approx(0.772727, abs=1e-6)


def test_first_ranks_are_counted_and_missed_ones_last() -> None:
    """Ranks 1, 1 and 7; one query whose item no list holds."""
    judged = JudgedRanks.of_lists([[1], [1, 3], [7], []], missed_N=[(), (), (), (1.0,)])

    assert first_rank_histogram(judged) == [
        {"from": 1, "to": 1, "queries": 2},
        {"from": 6, "to": 10, "queries": 1},
        {"from": None, "to": None, "queries": 1},
    ]


def test_thresholds_pool_the_hits_of_all_queries() -> None:
    """At .8 one of two is relevant, of three in all; items that were not found lower recall."""
    found = score_thresholds([[0.9, 0.8], [0.7]], [[True, False], [True]], relevant=3)

    assert found == [
        {"threshold": 0.9, "precision": 1.0, "recall": pytest.approx(1 / 3)},
        {"threshold": 0.8, "precision": 0.5, "recall": pytest.approx(1 / 3)},
        {"threshold": 0.7, "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3)},
    ]
    assert score_thresholds([[0.9]], [[False]], relevant=1) == []
