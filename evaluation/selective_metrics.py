"""What a classifier that may keep silent is worth: risk against coverage.

# N = predictions, T = thresholds of the confidence, highest first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """At each threshold, how many predictions are made, and how many of them are wrong."""

    thresholds_T: NDArray[np.float64]
    coverage_T: NDArray[np.float64]
    """Fraction of the predictions at or above the threshold; ascending, 1 at the last."""
    risk_T: NDArray[np.float64]
    """Fraction of these that are wrong."""

    @property
    def area(self) -> float:
        """AURC: the mean risk over coverage; lower is better.

        Equal to the mean of the risks of the first 1, 2 ... N predictions where no confidences are
        equal. Source: Geifman, El-Yaniv 2017, arXiv:1705.08500; the area: Geifman et al. 2019,
        arXiv:1805.08206, section 3.
        """
        return float(np.sum(np.diff(self.coverage_T, prepend=0.0) * self.risk_T))


def risk_coverage(confidence_N: NDArray[np.float64], correct_N: NDArray[np.bool_]) -> RiskCoverage:
    """Return risk and coverage at each different confidence: equal ones are kept together.

    Raises:
        UsageError: lengths differ, there is nothing, or a confidence is NaN.
    """
    confidence_N = np.asarray(confidence_N, np.float64)
    if confidence_N.shape != np.shape(correct_N) or not len(confidence_N):
        raise UsageError(
            f"{confidence_N.shape} confidences for {np.shape(correct_N)} predictions: expected as "
            "many, and one or more"
        )
    if np.isnan(confidence_N).any():
        raise UsageError("a confidence is NaN; it has no place on a curve")
    order_N = np.argsort(-confidence_N, kind="stable")
    ordered_N = confidence_N[order_N]
    last_T = np.flatnonzero(np.append(np.diff(ordered_N) != 0, True))
    wrong_T = np.cumsum(~np.asarray(correct_N, bool)[order_N])[last_T]
    return RiskCoverage(
        thresholds_T=ordered_N[last_T],
        coverage_T=(last_T + 1) / len(confidence_N),
        risk_T=wrong_T / (last_T + 1),
    )


def answered_values(
    silences: Sequence[str | None], correct_N: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Return what each image is worth where no label is given if a rule says so.

    Their means are the coverage, the accuracy among the answered images and the selective risk;
    an image without an answer has NaN in the last two.
    Source: El-Yaniv, Wiener 2010, JMLR 11, section 2.

    Args:
        silences: why no label was given; ``None`` where one was.
        correct_N: whether the best label is the true one.

    Raises:
        UsageError: lengths differ.
    """
    answered_N = np.array([reason is None for reason in silences], np.bool_)
    if answered_N.shape != correct_N.shape:
        raise UsageError(f"{len(silences)} answers for {correct_N.shape} predictions")
    right_N = np.where(answered_N, correct_N.astype(np.float64), np.nan)
    return {
        "coverage": answered_N.astype(np.float64),
        "answered_accuracy": right_N,
        "selective_risk": 1.0 - right_N,
    }
