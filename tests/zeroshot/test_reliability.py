"""Rules of zeroshot.reliability and zeroshot.separation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error

from core.errors import UsageError
from zeroshot.reliability import (
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)
from zeroshot.scores import softmax
from zeroshot.separation import auroc, false_positive_rate, threshold_keeping


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    """Bin (.5, 1]: three images, confidence .8, accuracy 1/3; bin [0, .5]: one, .4, right."""
    confidence_N, correct_N = [0.7, 0.8, 0.9, 0.4], [1, 0, 0, 1]

    found = expected_calibration_error(confidence_N, correct_N, bins=2)

    assert found == pytest.approx((3 * abs(0.8 - 1 / 3) + abs(0.4 - 1.0)) / 4)


def test_the_calibration_error_equals_torchmetrics() -> None:
    """Which bins confidences from 0 to 1 in the same 15 bins."""
    generator = np.random.default_rng(0)
    confidence_N = generator.random(500)
    correct_N = generator.random(500) < confidence_N**2

    theirs = binary_calibration_error(
        torch.tensor(confidence_N), torch.tensor(correct_N.astype(np.int64)), n_bins=15, norm="l1"
    )

    # torchmetrics takes the confidence as it is: the probability of "correct".
    assert expected_calibration_error(confidence_N, correct_N) == pytest.approx(
        float(theirs), abs=1e-6
    )


def test_bins_hold_what_they_say_and_empty_ones_are_left_out() -> None:
    """Two of .1 and .2 in the lowest half, one of .9 in the highest; .5 belongs to the lower."""
    low, high = reliability_bins([0.1, 0.2, 0.9, 0.5], [True, False, True, True], bins=2)

    assert (low.low, low.high, low.images) == (0.0, 0.5, 3)
    assert low.confidence == pytest.approx(0.8 / 3)
    assert low.accuracy == pytest.approx(2 / 3)
    assert (high.low, high.high, high.images, high.confidence, high.accuracy) == (0.5, 1, 1, 0.9, 1)
    assert len(reliability_bins([0.1, 0.9], [True, True], bins=10)) == 2


def test_zero_and_one_are_in_the_first_and_the_last_bin() -> None:
    """The ends of the range are confidences too."""
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0.0


def test_the_log_loss_equals_scikit_learn() -> None:
    """In nats, the mean over images."""
    probabilities_NC = softmax(np.random.default_rng(1).standard_normal((40, 5)))
    truth_N = np.arange(40) % 5

    assert negative_log_likelihood(probabilities_NC, truth_N) == pytest.approx(
        log_loss(truth_N, probabilities_NC)
    )


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    """JSON has no infinity."""
    assert negative_log_likelihood(np.array([[0.0, 1.0]]), np.array([0])) < 700.0


def test_auroc_equals_scikit_learn_with_ties() -> None:
    """Rounded numbers tie often; a tie is one half."""
    generator = np.random.default_rng(2)
    known_N, unknown_M = generator.normal(1, 1, 60).round(1), generator.normal(0, 1, 40).round(1)
    truth = np.repeat([1, 0], [60, 40])

    expected = roc_auc_score(truth, np.concatenate([known_N, unknown_M]))

    assert auroc(known_N, unknown_M) == pytest.approx(expected)


def test_the_threshold_is_reached_by_the_share_that_is_to_be_kept() -> None:
    """Of 1 to 10, nine tenths reach 2, all reach 1."""
    known_N = np.arange(1.0, 11.0)

    assert threshold_keeping(known_N, share=0.9) == 2.0
    assert threshold_keeping(known_N, share=0.91) == 1.0
    assert threshold_keeping(known_N, share=1.0) == 1.0


def test_the_false_positive_rate_is_that_of_unknown_images_at_the_threshold() -> None:
    """Threshold 2 for nine tenths: 2 and 5 pass, 1.9 and 0 do not."""
    known_N, unknown_M = np.arange(1.0, 11.0), [2.0, 5.0, 1.9, 0.0]

    assert false_positive_rate(known_N, unknown_M, true_positive_rate=0.9) == 0.5


def test_nothing_to_measure_is_refused() -> None:
    """An empty side has no rate, and no images have no loss."""
    with pytest.raises(UsageError, match="0 known and 1 unknown"):
        auroc([], [1.0])
    with pytest.raises(UsageError, match="at least one of both"):
        false_positive_rate([1.0], [])
    with pytest.raises(UsageError, match="0 < share"):
        threshold_keeping([1.0], share=0.0)
    with pytest.raises(UsageError, match="as many of both"):
        expected_calibration_error([0.5], [True, False])
    with pytest.raises(UsageError, match="at least one"):
        negative_log_likelihood(np.empty((0, 2)), np.empty(0, np.int64))
