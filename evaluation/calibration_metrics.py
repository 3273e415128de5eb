"""Whether probabilities are what they say: reliability, calibration errors, Brier score, NLL.

Pure NumPy. Bins are closed on the right: a confidence of exactly 0.2 is in the bin that ends there.

# N = predictions, C = classes, B = bins
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray

Numbers = NDArray[np.float64]

BINS = 15
"""Bins of the published figures. Source: Guo et al. 2017, arXiv:1706.04599, section 5."""
LEAST_PROBABILITY = 1e-300
"""A probability of 0 counts as this in NLL, which would be infinite; as in zeroshot/reliability."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often predictions of like confidence are right; a row per bin, for the diagram."""

    edges: Numbers
    """Bounds of the bins, (B + 1,)."""
    count_B: IdArray
    confidence_B: Numbers
    """Mean confidence; NaN in an empty bin."""
    accuracy_B: Numbers
    """Fraction that is right; NaN in an empty bin."""

    @property
    def expected_error(self) -> float:
        """ECE: mean distance of confidence and accuracy, weighted by count (L1).

        Source: Naeini et al. 2015, Obtaining well calibrated probabilities, AAAI.
        """
        gap_B = np.nan_to_num(np.abs(self.confidence_B - self.accuracy_B))
        return float(np.sum(gap_B * self.count_B) / np.sum(self.count_B))

    @property
    def maximum_error(self) -> float:
        """MCE: the largest distance of confidence and accuracy in a bin. Source: as ECE."""
        return float(np.nanmax(np.abs(self.confidence_B - self.accuracy_B)))


def reliability(
    confidence_N: Numbers, correct_N: NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """Return the reliability in bins of equal width over 0 to 1.

    Raises:
        UsageError: lengths differ, nothing to bin, a confidence outside of 0 to 1, or no bin.
    """
    edges = np.linspace(0.0, 1.0, _checked_bins(bins) + 1)
    return _binned(confidence_N, correct_N, edges)


def adaptive_reliability(
    confidence_N: Numbers, correct_N: NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """Return the reliability in bins of equal count; its ``expected_error`` is the adaptive ECE.

    Equal confidences stay in one bin, so there may be fewer bins.
    Source: Nguyen, O'Connor 2015, arXiv:1508.05154; Nixon et al. 2019, arXiv:1904.01685.

    Raises:
        UsageError: see ``reliability``.
    """
    ordered_N = np.sort(np.asarray(confidence_N, np.float64))
    if not len(ordered_N):
        raise UsageError("no prediction: calibration needs one or more")
    ends_B = np.arange(1, _checked_bins(bins)) * len(ordered_N) // bins
    inner = ordered_N[ends_B[ends_B > 0] - 1]
    return _binned(confidence_N, correct_N, np.unique(np.concatenate([[0.0], inner, [1.0]])))


def class_wise_calibration_error(
    probabilities_NC: Numbers, truth_N: IdArray, *, bins: int = BINS
) -> float:
    """Return the mean over classes of the ECE of "this is the class": all probabilities count.

    Source: Kull et al. 2019, arXiv:1910.12656, section 2; "static calibration error" of Nixon et
    al. 2019, arXiv:1904.01685.

    Raises:
        UsageError: shapes do not fit, or a probability outside of 0 to 1.
    """
    _check_classes(probabilities_NC, truth_N)
    errors = [
        reliability(probabilities_N, truth_N == place, bins=bins).expected_error
        for place, probabilities_N in enumerate(probabilities_NC.T)
    ]
    return float(np.mean(errors))


def brier_scores(probabilities_NC: Numbers, truth_N: IdArray) -> Numbers:
    """Return the squared distance of each row from the truth, 0 to 2; the mean is the Brier score.

    The sum over all classes; scikit-learn halves it where there are two.
    Source: Brier 1950, Monthly Weather Review 78(1).

    Raises:
        UsageError: shapes do not fit.
    """
    _check_classes(probabilities_NC, truth_N)
    own_N = _own(probabilities_NC, truth_N)
    squares_N = np.einsum("nc,nc->n", probabilities_NC, probabilities_NC, dtype=np.float64)
    scores_N: Numbers = squares_N - 2 * own_N + 1
    return scores_N


def negative_log_likelihoods(probabilities_NC: Numbers, truth_N: IdArray) -> Numbers:
    """Return -ln of the probability of each true class, in nats; the mean is the NLL.

    Source: Hastie, Tibshirani, Friedman 2009, The Elements of Statistical Learning, section 2.6.

    Raises:
        UsageError: shapes do not fit.
    """
    _check_classes(probabilities_NC, truth_N)
    return -np.log(np.maximum(_own(probabilities_NC, truth_N), LEAST_PROBABILITY))


def _binned(confidence_N: Numbers, correct_N: NDArray[np.bool_], edges: Numbers) -> Reliability:
    confidence_N = np.asarray(confidence_N, np.float64)
    correct_N = np.asarray(correct_N, np.float64)
    if confidence_N.shape != correct_N.shape or not len(confidence_N):
        raise UsageError(
            f"{confidence_N.shape} confidences for {correct_N.shape} predictions: expected as "
            "many, and one or more"
        )
    if not 0.0 <= confidence_N.min() <= confidence_N.max() <= 1.0:
        raise UsageError(
            f"confidences are {confidence_N.min()} to {confidence_N.max()}: expected 0 to 1; "
            "scores that are no probabilities have no calibration"
        )
    size = len(edges) - 1
    bin_N = np.clip(np.searchsorted(edges, confidence_N, side="left") - 1, 0, size - 1)
    count_B = np.bincount(bin_N, minlength=size)
    means = np.full((2, size), np.nan)
    for row, values_N in enumerate((confidence_N, correct_N)):
        sums_B = np.bincount(bin_N, weights=values_N, minlength=size)
        np.divide(sums_B, count_B, out=means[row], where=count_B > 0)
    return Reliability(edges=edges, count_B=count_B, confidence_B=means[0], accuracy_B=means[1])


def _own(probabilities_NC: Numbers, truth_N: IdArray) -> Numbers:
    """Return the probability of each true class."""
    return probabilities_NC[np.arange(len(truth_N)), truth_N].astype(np.float64)


def _check_classes(probabilities_NC: Numbers, truth_N: IdArray) -> None:
    if probabilities_NC.ndim != 2 or truth_N.shape != probabilities_NC.shape[:1]:  # noqa: PLR2004
        raise UsageError(
            f"probabilities have the shape {probabilities_NC.shape}, truths {truth_N.shape}: "
            "expected (N, C) and (N,)"
        )


def _checked_bins(bins: int) -> int:
    if bins < 1:
        raise UsageError(f"bins = {bins}: expected 1 or more", param="bins")
    return bins
