"""Rules of zeroshot.scores."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from zeroshot.scores import LabelScore, Scores, log_mean_exp, sigmoid, softmax


def scores_of(scores: list[float], cosines: list[float]) -> Scores:
    """Return the scores of one image for the labels a, b, c, ..."""
    return Scores(
        labels=tuple("abcdefgh"[: len(scores)]),
        scores_NC=np.array([scores], np.float32),
        cosines_NC=np.array([cosines], np.float32),
        logits_NC=10.0 * np.array([cosines]),
        energies_N=np.zeros(1),
    )


def test_the_top_is_in_order_of_score() -> None:
    """The best k, best first."""
    scores = scores_of([0.25, 0.5, 0.125, 0.125], [0.25, 0.5, 0.125, 0.0])

    assert scores.top(0, 2) == (LabelScore("b", 0.5, 0.5), LabelScore("a", 0.25, 0.25))


def test_scores_that_have_run_out_of_digits_are_ordered_by_logit() -> None:
    """Two probabilities of 0.0 still have an order."""
    scores = scores_of([0.0, 1.0, 0.0], [-0.2, 0.9, 0.1])

    assert [item.label for item in scores.top(0, 3)] == ["b", "c", "a"]


def test_equal_labels_stay_in_the_order_they_were_given() -> None:
    """Ties are stable."""
    scores = scores_of([0.25] * 4, [0.5] * 4)

    assert [item.label for item in scores.top(0, 3)] == ["a", "b", "c"]


def test_the_top_of_more_than_there_are_is_all() -> None:
    """The top is capped at the number of labels."""
    assert len(scores_of([0.5, 0.5], [0.1, 0.1]).top(0, 99)) == 2


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_one_or_more(k: int) -> None:
    """Nothing to show is a mistake of the caller."""
    with pytest.raises(UsageError, match="expected 1 or more"):
        scores_of([1.0], [1.0]).top(0, k)


def test_softmax_and_sigmoid_do_not_overflow() -> None:
    """Logits of a million saturate without a warning."""
    logits_NC = np.array([[1e6, -1e6, 0.0]])

    np.testing.assert_array_equal(softmax(logits_NC), [[1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(sigmoid(logits_NC), [[1.0, 0.0, 0.5]])


def test_sigmoid_is_the_textbook_formula() -> None:
    """1 / (1 + exp(-z)) on both sides of zero."""
    logits_NC = np.array([[-3.0, -0.5, 0.0, 0.5, 3.0]])

    np.testing.assert_allclose(sigmoid(logits_NC), 1.0 / (1.0 + np.exp(-logits_NC)), rtol=1e-15)


def test_log_mean_exp_is_the_textbook_formula_without_overflow() -> None:
    """log((e^0 + e^ln 3) / 2) = log 2, and the same a million higher."""
    logits_NC = np.array([[0.0, np.log(3.0)]])

    np.testing.assert_allclose(log_mean_exp(logits_NC), [[np.log(2.0)]], rtol=1e-15)
    np.testing.assert_allclose(log_mean_exp(logits_NC + 1e6), [[1e6 + np.log(2.0)]], rtol=1e-15)
