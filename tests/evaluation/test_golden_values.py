"""Values worked out by hand for one ranked list and for one set of scores with two thresholds.

# K = places of the list, N = scored items
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from core.measures import metrics
from core.measures.judged_ranks import JudgedRanks
from core.measures.query_metrics import query_values
from evaluation.label_metrics import counts_of_confusion, matthews_correlation, per_class
from evaluation.threshold_metrics import (
    average_precision_of_scores,
    counts_at,
    threshold_curve,
    threshold_for_precision,
)
from zeroshot.separation import auroc

LIST = metrics.ranks_of([letter == "T" for letter in "TTFFFTFT"])
PRECISIONS = [Fraction(*one) for one in ((1, 1), (2, 2), (2, 3), (2, 4), (2, 5), (3, 6), (3, 7))]
PRECISIONS += [Fraction(4, 8)]
RECALLS = [Fraction(found, 4) for found in (1, 2, 2, 2, 2, 3, 3, 4)]


def spread(low: float, high: float, count: int) -> list[float]:
    """Return ``count`` different scores between two bounds."""
    return np.linspace(low, high, count).tolist()


SCORES_N = np.array(
    spread(0.61, 0.95, 17) + spread(0.31, 0.59, 11) + spread(0.05, 0.29, 12), np.float64
)
POSITIVE_N = np.array([False] + [True] * 3 + [False] + [True] * 12 + [True] * 5 + [False] * 18)
"""15 positives and 2 negatives above .60; 5 and 6 in .31 to .59; 12 negatives at .29 or less."""


@pytest.mark.parametrize("k", range(1, 9))
def test_precision_and_recall_of_the_ranked_list_are_exact_fractions(k: int) -> None:
    """T T F F F T F T with four relevant items, at every cut-off."""
    assert metrics.precision_at_k(LIST, k) == float(PRECISIONS[k - 1])
    assert metrics.recall_at_k(LIST, k) == float(RECALLS[k - 1])


def test_the_strings_of_two_decimals_of_the_ranked_list() -> None:
    """What is printed for the list, place by place."""
    curve = metrics.rank_curve(LIST, 8)

    assert " ".join(f"{value:.2f}" for value in curve.precision_K) == (
        "1.00 1.00 0.67 0.50 0.40 0.50 0.43 0.50"
    )
    assert " ".join(f"{value:.2f}" for value in curve.recall_K) == (
        "0.25 0.50 0.50 0.50 0.50 0.75 0.75 1.00"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (metrics.average_precision(LIST), 0.75),
        (metrics.reciprocal_rank(LIST), 1.0),
        (metrics.r_precision(LIST), 0.5),
        (metrics.hit_at_k(LIST, 1), 1.0),
        (metrics.f1_at_k(LIST, 5), 4 / 9),
        (metrics.average_precision_at_k(LIST, 3), 0.5),
        (metrics.average_precision_at_k(LIST, 5), 0.5),
        (metrics.capped_average_precision_at_k(LIST, 3), 2 / 3),
        (metrics.ndcg(LIST), 0.898890),
        (metrics.ndcg(LIST, k=3), 0.765361),
        (metrics.ndcg(LIST, k=5), 0.636682),
        (metrics.interpolated_precision(LIST, 0.5), 1.0),
        (metrics.interpolated_precision(LIST, 0.51), 0.5),
        (metrics.interpolated_precision(LIST, 1.0), 0.5),
        (metrics.eleven_point_precision(LIST), 0.772727),
        (metrics.capped_recall_at_k(LIST, 2), 1.0),
        (metrics.capped_recall_at_k(LIST, 5), 0.5),
    ],
)
def test_the_other_values_of_the_ranked_list(value: float, expected: float) -> None:
    """AP, RR, R-precision, F1@5, AP@3 of both kinds, nDCG, interpolated precision."""
    assert value == pytest.approx(expected, abs=5e-7)


def test_the_ranked_list_as_a_query_among_others_has_the_same_values() -> None:
    """Scoring all queries at once gives what scoring one gives."""
    values = query_values(JudgedRanks.of_lists([[3], LIST.tolist()]), [3, 5])

    assert values["mean_average_precision"][1] == 0.75
    assert values["mean_average_precision@3"][1] == 0.5
    assert values["mean_capped_average_precision@3"][1] == pytest.approx(2 / 3)
    assert values["ndcg@3"][1] == pytest.approx(0.765361, abs=5e-7)
    assert values["ndcg"][1] == pytest.approx(0.898890, abs=5e-7)
    assert values["f1@5"][1] == pytest.approx(4 / 9)


def test_auroc_of_the_ranked_list() -> None:
    """Of the sixteen pairs of a relevant item and one that is not, nine are in order: .5625."""
    scores_K = np.arange(8, 0, -1)
    relevant_K = np.isin(np.arange(1, 9), LIST)

    assert auroc(scores_K[relevant_K], scores_K[~relevant_K]) == 0.5625


def test_the_trapezoid_is_not_average_precision() -> None:
    """.7286 under straight lines between the points, where AP is .75."""
    curve = threshold_curve(np.arange(8.0, 0.0, -1.0), np.isin(np.arange(1, 9), LIST))
    recall, precision = np.append(0.0, curve.recall_T), np.append(1.0, curve.precision_T)

    assert np.trapezoid(precision, recall) == pytest.approx(0.728571, abs=5e-7)
    assert average_precision_of_scores(
        np.arange(8.0, 0.0, -1.0), np.isin(np.arange(1, 9), LIST)
    ) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("threshold", "cells", "expected"),
    [
        (0.60, (15, 5, 2, 18), (0.8824, 0.75, 0.8108, 0.825, 0.90, 0.6574)),
        (0.30, (20, 0, 8, 12), (0.7143, 1.0, 0.8333, 0.80, 0.60, 0.6547)),
    ],
)
def test_both_confusion_matrices_come_from_one_set_of_scores(
    threshold: float, cells: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    """TP FN FP TN, then precision, recall, F1, accuracy, specificity and MCC."""
    counts = counts_at(SCORES_N, POSITIVE_N, threshold)

    assert (
        counts.true_positives,
        counts.false_negatives,
        counts.false_positives,
        counts.true_negatives,
    ) == cells
    found = (counts.precision, counts.recall, counts.f1, counts.accuracy)
    assert (*found, counts.specificity, counts.mcc) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("confusion", "recall", "mcc"),
    [([[15, 5], [2, 18]], 0.75, 0.6574), ([[20, 0], [8, 12]], 1.0, 0.6547)],
)
def test_the_matrices_as_two_classes(confusion: list[list[int]], recall: float, mcc: float) -> None:
    """The same numbers through the confusion matrix of two classes."""
    matrix_CC = np.array(confusion)

    assert per_class(counts_of_confusion(matrix_CC)).recall_C[0] == recall
    assert matthews_correlation(counts_of_confusion(matrix_CC)) == pytest.approx(mcc, abs=5e-5)


@pytest.mark.parametrize("target", [0.5, 0.7143, 0.8, 0.85, 0.9, 1.0])
def test_the_threshold_for_a_precision_is_the_one_of_most_recall(target: float) -> None:
    """A search through every score finds the same threshold."""
    found = threshold_for_precision(SCORES_N, POSITIVE_N, target)

    tried = [(counts_at(SCORES_N, POSITIVE_N, score), score) for score in SCORES_N]
    recall, threshold = max(
        (counts.recall, score) for counts, score in tried if counts.precision >= target
    )
    assert found is not None
    assert (found.counts.recall, found.threshold) == (recall, threshold)


def test_a_precision_that_no_threshold_reaches_is_none() -> None:
    """The best item is wrong, so precision 1 is out of reach."""
    scores_N, positive_N = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])

    assert threshold_for_precision(scores_N, positive_N, 0.99) is None
    assert threshold_for_precision(scores_N, positive_N, 0.66) is not None
