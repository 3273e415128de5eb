"""What happens at the edges where libraries differ: short lists, ties, missing queries, 0 / 0."""

from __future__ import annotations

import numpy as np
import pytest

from core.measures import metrics
from core.measures.judged_ranks import JudgedRanks
from core.measures.query_metrics import query_values
from evaluation.exact_search import exact_ranks
from evaluation.label_metrics import averages, counts_of_confusion, mean_per_class_recall
from evaluation.ranking import rank
from evaluation.threshold_metrics import average_precision_of_scores


def test_a_short_list_is_divided_by_k_all_the_same() -> None:
    """Two hits returned, one of them relevant: precision@5 is .2, not .5."""
    assert metrics.precision_at_k(metrics.ranks_of([True, False]), 5) == 0.2


def test_relevant_items_beyond_a_short_list_do_not_vanish() -> None:
    """One of three relevant items returned: recall 1/3, not 1 as of the list alone."""
    judged = JudgedRanks.of_lists([[1]], missed_N=[[1.0, 1.0]])

    assert query_values(judged, [10])["recall@10"][0] == pytest.approx(1 / 3)


def test_a_query_that_was_judged_and_has_no_list_counts_as_zero() -> None:
    """Two queries, one of them missing from the run: MRR is 1/2, not 1."""
    judged = JudgedRanks.of_lists([[1], []], missed_N=[[], [1.0]])

    assert np.nanmean(query_values(judged, [1])["mean_reciprocal_rank"]) == 0.5


def test_a_query_with_nothing_relevant_is_left_out_and_counted() -> None:
    """The mean of .5 and nothing is .5."""
    judged = JudgedRanks.of_lists([[2], []])

    assert np.nanmean(query_values(judged, [1])["mean_reciprocal_rank"]) == 0.5
    assert judged.queries_without_relevant == 1


def test_near_ties_are_ties_in_float32_and_the_id_decides() -> None:
    """0.50000001 and 0.5 are one number; the relevant item b comes after a."""
    queries_ND = np.ones((1, 1), np.float32)
    gallery_MD = np.array([[0.5], [0.50000001]], np.float32)

    found = exact_ranks(queries_ND, gallery_MD, ["a", "b"], [[1]], top=2)

    assert found.judged.per_query() == [[2]]
    assert found.tied_at_k(1) == 1
    assert rank(np.array([[0.5, 0.50000001]]), ["a", "b"]).tolist() == [[0, 1]]


def test_fifty_tied_items_have_one_order_wherever_the_relevant_one_was_inserted() -> None:
    """The rank is that of its id, 15, for every order of the gallery."""
    for place in (5, 18, 41):
        ids = [f"d{number:02}" for number in range(50) if number != 14]
        ids.insert(place, "d14")
        judged = exact_ranks(
            np.ones((1, 1), np.float32), np.ones((50, 1), np.float32), ids, [[place]]
        ).judged
        assert judged.per_query() == [[15]]


def test_ties_are_one_step_of_a_threshold_curve() -> None:
    """Three items tie, one is relevant: AP over thresholds is 1/3, wherever it lies."""
    for place in range(3):
        positive_N = np.arange(3) == place
        assert average_precision_of_scores(np.full(3, 0.5), positive_N) == pytest.approx(1 / 3)


def test_ap_at_k_has_two_names_for_two_values() -> None:
    """Cut at 3 and divided by R = 4: .5; by min(R, k) = 3: .6667."""
    ranks_R = metrics.ranks_of([letter == "T" for letter in "TTFFFTFT"])

    assert metrics.average_precision_at_k(ranks_R, 3) == 0.5
    assert metrics.capped_average_precision_at_k(ranks_R, 3) == pytest.approx(2 / 3)


def test_paired_recall_counts_another_caption_of_the_image_as_wrong() -> None:
    """Partners at ranks 1, 3 and 2: a third at 1, where hit@1 might be 1."""
    partners_N = np.array([1, 3, 2])

    assert metrics.paired_recall_at_k(partners_N, 1) == pytest.approx(1 / 3)
    assert metrics.paired_recall_at_k(partners_N, 3) == 1.0


def test_a_class_that_is_predicted_and_absent_lowers_macro_recall_only() -> None:
    """Recalls of the classes with images are 1 and .5; the third class has none."""
    confusion_CC = np.array([[2, 0, 0], [0, 1, 1], [0, 0, 0]])

    assert mean_per_class_recall(counts_of_confusion(confusion_CC)) == 0.75
    assert averages(counts_of_confusion(confusion_CC)).macro_recall == 0.5
