"""Rules of evaluation.calibration_metrics.

# N = predictions, C = classes, B = bins
"""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from evaluation.calibration_metrics import (
    adaptive_reliability,
    brier_scores,
    class_wise_calibration_error,
    negative_log_likelihoods,
    reliability,
)
from zeroshot.reliability import expected_calibration_error, negative_log_likelihood


def predictions(count: int = 500, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (N, C) and true classes (N,) of a classifier that is too sure."""
    generator = np.random.default_rng(2)
    logits_NC = 3 * generator.standard_normal((count, classes))
    powers_NC = np.exp(logits_NC)
    truth_N = np.argmax(logits_NC / 3 + generator.gumbel(size=logits_NC.shape), axis=1)
    return powers_NC / powers_NC.sum(axis=1, keepdims=True), truth_N


def test_calibration_errors_by_hand() -> None:
    """Two bins: two at .25 of which one is right (gap .25), one at .9 that is right (gap .1)."""
    found = reliability(np.array([0.25, 0.25, 0.9]), np.array([True, False, True]), bins=2)

    assert found.count_B.tolist() == [2, 1]
    assert found.confidence_B.tolist() == pytest.approx([0.25, 0.9])
    assert found.accuracy_B.tolist() == [0.5, 1.0]
    assert found.expected_error == pytest.approx((2 * 0.25 + 0.1) / 3)
    assert found.maximum_error == pytest.approx(0.25)


def test_bins_are_closed_on_the_right() -> None:
    """0 is in the first bin, 0.5 of two bins in the first, 1 in the last."""
    found = reliability(np.array([0.0, 0.5, 1.0]), np.ones(3, bool), bins=2)

    assert found.count_B.tolist() == [2, 1]


def test_an_empty_bin_is_nan_and_weighs_nothing() -> None:
    """All confidences are .9 and all right: ECE and MCE are .1."""
    found = reliability(np.full(4, 0.9), np.ones(4, bool))

    assert np.isnan(found.confidence_B[0])
    assert found.expected_error == pytest.approx(0.1)
    assert found.maximum_error == pytest.approx(0.1)


def test_a_classifier_that_is_what_it_says_has_no_error() -> None:
    """Of four predictions of .75, three are right."""
    found = reliability(np.full(4, 0.75), np.array([True, True, True, False]))

    assert found.expected_error == pytest.approx(0.0)


def test_the_error_is_the_one_that_temperatures_are_judged_by() -> None:
    """Both implementations of the house agree, with 15 bins."""
    probabilities_NC, truth_N = predictions()
    confidence_N, correct_N = (
        probabilities_NC.max(axis=1),
        probabilities_NC.argmax(axis=1) == truth_N,
    )

    assert reliability(confidence_N, correct_N).expected_error == pytest.approx(
        expected_calibration_error(confidence_N, correct_N)
    )
    assert negative_log_likelihoods(probabilities_NC, truth_N).mean() == pytest.approx(
        negative_log_likelihood(probabilities_NC, truth_N)
    )


def test_adaptive_bins_hold_as_many_predictions_each() -> None:
    """Twelve different confidences in four bins: three in each."""
    confidence_N = np.linspace(0.9, 0.99, 12)

    found = adaptive_reliability(confidence_N, np.ones(12, bool), bins=4)

    assert found.count_B.tolist() == [3, 3, 3, 3]
    assert found.expected_error == pytest.approx(np.mean(1 - confidence_N))


def test_equal_confidences_stay_in_one_adaptive_bin() -> None:
    """All are alike, so there is one bin with predictions and no split by order."""
    found = adaptive_reliability(np.full(10, 0.5), np.arange(10) < 5, bins=5)

    assert found.count_B.max() == 10
    assert found.expected_error == pytest.approx(0.0)


def test_class_wise_error_counts_the_probabilities_of_every_class() -> None:
    """The best label is always right and sure, as the truth is: all errors are 0; else not."""
    sure_NC = np.array([[1.0, 0.0], [0.0, 1.0]])

    assert class_wise_calibration_error(sure_NC, np.array([0, 1])) == 0.0
    assert class_wise_calibration_error(sure_NC, np.array([1, 0])) == 1.0


def test_brier_and_nll_by_hand() -> None:
    """Probabilities .7 .2 .1 of the first class: .3^2 + .2^2 + .1^2 = .14, and -ln .7."""
    probabilities_NC = np.array([[0.7, 0.2, 0.1]])

    assert brier_scores(probabilities_NC, np.array([0])).tolist() == pytest.approx([0.14])
    assert negative_log_likelihoods(probabilities_NC, np.array([0])) == pytest.approx(-np.log(0.7))


def test_a_probability_of_zero_is_finite_in_nll() -> None:
    """A report has no infinity."""
    values_N = negative_log_likelihoods(np.array([[1.0, 0.0]]), np.array([1]))

    assert np.isfinite(values_N).all()
    assert values_N[0] > 600


def test_scikit_learn_agrees() -> None:
    """Brier score of several classes (not halved), and log-loss."""
    from sklearn.metrics import brier_score_loss, log_loss

    probabilities_NC, truth_N = predictions()

    assert brier_scores(probabilities_NC, truth_N).mean() == pytest.approx(
        brier_score_loss(truth_N, probabilities_NC, labels=range(4), scale_by_half=False)
    )
    assert negative_log_likelihoods(probabilities_NC, truth_N).mean() == pytest.approx(
        log_loss(truth_N, probabilities_NC, labels=range(4))
    )


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "name"), [("l1", "expected_error"), ("max", "maximum_error")])
def test_torchmetrics_agrees(norm: str, name: str) -> None:
    """ECE and MCE in 15 bins; its bins are closed on the left, which random numbers do not see."""
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    probabilities_NC, truth_N = predictions()
    theirs = multiclass_calibration_error(
        torch.tensor(probabilities_NC), torch.tensor(truth_N), num_classes=4, n_bins=15, norm=norm
    )
    found = reliability(probabilities_NC.max(axis=1), probabilities_NC.argmax(axis=1) == truth_N)

    assert getattr(found, name) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize(
    ("confidence", "message"), [([], "one or more"), ([1.2], "0 to 1"), ([0.5, 0.5], "as many")]
)
def test_what_is_no_probability_has_no_calibration(confidence: list[float], message: str) -> None:
    """Nothing, numbers beyond 1, and another number of outcomes."""
    with pytest.raises(UsageError, match=message):
        reliability(np.array(confidence), np.ones(min(1, len(confidence)), bool))


def test_shapes_and_bins_are_checked() -> None:
    """One true class per row, one bin or more, one prediction or more."""
    with pytest.raises(UsageError, match="expected"):
        brier_scores(np.ones((2, 2)), np.zeros(3, int))
    with pytest.raises(UsageError, match="bins = 0"):
        reliability(np.array([0.5]), np.ones(1, bool), bins=0)
    with pytest.raises(UsageError, match="no prediction"):
        adaptive_reliability(np.array([]), np.array([], bool))
