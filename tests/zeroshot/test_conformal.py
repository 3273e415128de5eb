"""Rules of zeroshot.conformal.

# N = images, C = labels
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.errors import UsageError
from zeroshot.conformal import (
    ConformalScores,
    Method,
    conformal_quantile,
    fit_conformal,
    least_images,
    nonconformity,
    prediction_sets,
)
from zeroshot.scores import softmax


def test_the_quantile_is_the_score_of_the_raised_rank() -> None:
    """Nine scores at alpha .1: rank ceil(10 * .9) = 9; nineteen at .1: rank 18."""
    assert conformal_quantile(np.arange(1.0, 10.0), 0.1) == 9.0
    assert conformal_quantile(np.arange(1.0, 20.0), 0.1) == 18.0
    assert conformal_quantile(np.arange(1.0, 10.0)[::-1], 0.5) == 5.0


@pytest.mark.parametrize("images", [0, 1, 5, 8])
def test_too_few_scores_promise_nothing(images: int) -> None:
    """Below nine images a promise of .9 needs all labels: the threshold is infinite."""
    assert conformal_quantile(np.zeros(images), 0.1) == math.inf


def test_the_least_number_of_images_is_the_one_with_a_finite_threshold() -> None:
    """ceil(1 / alpha) - 1, for alphas whose inverse rounds either way."""
    for alpha in (0.01, 0.05, 0.1, 0.2, 0.3, 0.5):
        least = least_images(alpha)
        assert math.isfinite(conformal_quantile(np.zeros(least), alpha))
        assert least == 1 or conformal_quantile(np.zeros(least - 1), alpha) == math.inf


def test_the_scores_are_those_of_the_papers() -> None:
    """LAC: 1 - p. APS: the sum of the probabilities down to that label."""
    probabilities_NC = np.array([[0.5, 0.2, 0.3]])

    lac_NC = nonconformity(probabilities_NC, method="lac")
    aps_NC = nonconformity(probabilities_NC, method="aps")

    np.testing.assert_allclose(lac_NC, [[0.5, 0.8, 0.7]])
    np.testing.assert_allclose(aps_NC, [[0.5, 1.0, 0.8]])


def test_a_set_holds_the_labels_up_to_the_threshold_and_always_the_best_one() -> None:
    """A threshold below every score would promise the empty set."""
    probabilities_NC = np.array([[0.5, 0.2, 0.3]])

    some = prediction_sets(probabilities_NC, np.full(3, 0.75), method="lac")
    least = prediction_sets(probabilities_NC, np.full(3, 0.1), method="lac")
    everything = prediction_sets(probabilities_NC, np.full(3, np.inf), method="aps")

    assert some.tolist() == [[True, False, True]]
    assert least.tolist() == [[True, False, False]]
    assert everything.all()


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize(("images", "alpha"), [(5, 0.1), (19, 0.1), (60, 0.2), (200, 0.05)])
def test_the_sets_hold_the_true_label_as_often_as_promised(
    method: Method, images: int, alpha: float
) -> None:
    """400 calibrations by chance, 50 new images each: at least 1 - alpha, less three errors."""
    generator = np.random.default_rng(images)
    trials, new = 400, 50
    held = 0
    for _ in range(trials):
        logits_NC = 1.5 * generator.standard_normal((images + new, 6))
        # The truth follows other probabilities than the model's: the promise needs no good model.
        draws_N = generator.random(images + new)
        truth_N = (draws_N[:, None] > np.cumsum(softmax(0.4 * logits_NC), axis=1)).sum(axis=1)
        truth_N = np.minimum(truth_N, 5).astype(np.int64)
        model_NC = softmax(logits_NC).astype(np.float32)
        fitted = fit_conformal(model_NC[:images], truth_N[:images], method=method)
        thresholds_C, _ = fitted.thresholds(alpha, classes=6)
        sets_NC = prediction_sets(model_NC[images:], thresholds_C, method=method)
        held += int(sets_NC[np.arange(new), truth_N[images:]].sum())

    # The coverage of one calibration spreads by about sqrt(alpha (1 - alpha) / n).
    error = math.sqrt(alpha * (1 - alpha) * (1 / images + 1 / new) / trials)
    assert held / (trials * new) >= 1 - alpha - 3 * error


def test_each_label_has_its_own_threshold_where_it_has_the_images() -> None:
    """Label 0 has nine images, label 1 one: that one shares the threshold of all, and says so."""
    scores_N = np.array([0.1] * 9 + [0.9], np.float32)
    truth_N = np.array([0] * 9 + [1])
    fitted = ConformalScores("lac", scores_N, truth_N, per_label=True)

    thresholds_C, shared = fitted.thresholds(0.1, classes=3)

    assert thresholds_C.tolist() == pytest.approx([0.1, 0.9, 0.9])
    assert shared.tolist() == [1, 2]


def test_per_label_thresholds_cover_each_label() -> None:
    """Where one label is much harder than the other, each still reaches its 80 %."""
    generator = np.random.default_rng(4)
    truth_N = np.arange(4000) % 2
    # Label 1 is barely recognised.
    strength_N = np.where(truth_N == 0, 3.0, 0.3)
    logits_NC = generator.standard_normal((4000, 2))
    logits_NC[np.arange(4000), truth_N] += strength_N
    model_NC = softmax(logits_NC).astype(np.float32)

    def coverage(*, per_label: bool) -> list[float]:
        fitted = fit_conformal(model_NC[:2000], truth_N[:2000], per_label=per_label)
        thresholds_C, _ = fitted.thresholds(0.2, classes=2)
        sets_NC = prediction_sets(model_NC[2000:], thresholds_C, method="lac")
        return [float(sets_NC[truth_N[2000:] == label, label].mean()) for label in (0, 1)]

    shared, own = coverage(per_label=False), coverage(per_label=True)

    assert min(own) > 0.75
    assert min(shared) < 0.7


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_alpha_is_between_zero_and_one(alpha: float) -> None:
    """Neither certainty nor nothing can be promised."""
    with pytest.raises(UsageError, match="between 0 and 1"):
        conformal_quantile(np.zeros(5), alpha)


def test_no_images_and_unknown_methods_are_refused() -> None:
    """The message names what there is."""
    with pytest.raises(UsageError, match="no calibration images"):
        fit_conformal(np.empty((0, 2)), np.empty(0, np.int64))
    with pytest.raises(UsageError, match="lac or aps"):
        nonconformity(np.zeros((1, 2)), method="raps")  # type: ignore[arg-type]
