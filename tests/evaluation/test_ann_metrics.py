"""Rules of evaluation.ann_metrics: two metrics that share a name elsewhere.

# N = queries, K = places
"""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from evaluation.ann_metrics import ann_1_recall_at_k, ann_recall_at_k


def test_recall_is_the_overlap_of_both_lists_in_any_order() -> None:
    """Two of three in the first query, all in the second."""
    found_NK, exact_NK = np.array([[3, 9, 1], [4, 5, 6]]), np.array([[1, 2, 3], [6, 5, 4]])

    assert ann_recall_at_k(found_NK, exact_NK, 3).tolist() == pytest.approx([2 / 3, 1.0])
    assert ann_recall_at_k(found_NK, exact_NK, 1).tolist() == [0.0, 0.0]


def test_one_recall_asks_for_the_nearest_item_alone() -> None:
    """The nearest is found at the third place, so at 3 it counts and at 2 it does not."""
    found_NK, exact_NK = np.array([[8, 9, 1]]), np.array([[1, 2, 3]])

    assert ann_1_recall_at_k(found_NK, exact_NK, 3).tolist() == [1.0]
    assert ann_1_recall_at_k(found_NK, exact_NK, 2).tolist() == [0.0]
    assert ann_recall_at_k(found_NK, exact_NK, 3).tolist() == pytest.approx([1 / 3])


def test_a_filter_that_leaves_fewer_than_k_items_asks_for_these_only() -> None:
    """Two exact answers, one of them found: 1/2. The empty places match nothing."""
    found_NK, exact_NK = np.array([[7, -1, -1]]), np.array([[7, 8, -1]])

    assert ann_recall_at_k(found_NK, exact_NK, 3).tolist() == [0.5]


def test_lists_that_do_not_fit_are_refused() -> None:
    """Other numbers of lists, k beyond them, and a query without exact answers."""
    for found_NK, k in ((np.array([[1], [2]]), 1), (np.array([[1]]), 2), (np.array([[1]]), 0)):
        with pytest.raises(UsageError, match="places or more"):
            ann_recall_at_k(found_NK, np.array([[1]]), k)
    with pytest.raises(UsageError, match="no exact answer"):
        ann_1_recall_at_k(np.array([[1]]), np.array([[-1]]), 1)
