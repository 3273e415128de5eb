"""Split-conformal prediction sets: enough labels to hold the true one with a promised chance.

The promise: over new images like the calibration images, the set misses the true label in at most
``alpha`` of the cases. It is marginal (over images, not for each), and void where images or labels
are of another kind.

    LAC  s(x, y) = 1 - p_y                                Sadinle et al. 2019, arXiv:1609.00451
    APS  s(x, y) = sum of p_k over labels k with p_k >= p_y    Romano et al. 2020, arXiv:2006.02544
    q = the ceil((n + 1)(1 - alpha))-th smallest s(x_i, y_i);   set(x) = {y : s(x, y) <= q}

Where that rank exceeds n there is no such score: q is infinite and the set holds all labels.
APS is the form without randomisation, whose sets hold the true label somewhat oftener.
Per label (Mondrian): Vovk et al. 2005, "Algorithmic Learning in a Random World", section 4.5.

# N = images, C = labels
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray

Method = Literal["lac", "aps"]
METHODS: tuple[Method, ...] = ("lac", "aps")

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ConformalScores:
    """The scores of the calibration images, from which any alpha has its threshold."""

    method: Method
    scores_N: FloatArray
    """s of each image with its true label."""
    truth_N: IdArray
    """Column of the true label."""
    per_label: bool = False
    """Whether each label has a threshold of its own, from its own images."""

    def thresholds(self, alpha: float, *, classes: int) -> tuple[NDArray[np.float64], IdArray]:
        """Return q of each label (C,), and the labels that had too few images for their own.

        Those take the threshold over all images.

        Raises:
            UsageError: alpha is not between 0 and 1.
        """
        shared = conformal_quantile(self.scores_N, alpha)
        thresholds_C = np.full(classes, shared)
        if not self.per_label:
            return thresholds_C, np.empty(0, np.int64)
        counts_C = np.bincount(self.truth_N, minlength=classes)
        enough_C = counts_C >= least_images(alpha)
        for label in np.flatnonzero(enough_C):
            own_N = self.scores_N[self.truth_N == label]
            thresholds_C[label] = conformal_quantile(own_N, alpha)
        return thresholds_C, np.flatnonzero(~enough_C)


def fit_conformal(
    probabilities_NC: NDArray[np.floating],
    truth_N: IdArray,
    *,
    method: Method = "lac",
    per_label: bool = False,
) -> ConformalScores:
    """Return the scores of calibration images, which must have had no part in any other fit.

    Raises:
        UsageError: an unknown method, or no images.
    """
    if len(truth_N) == 0:
        raise UsageError("no calibration images; give at least one")
    scores_NC = nonconformity(probabilities_NC, method=method)
    own_N = scores_NC[np.arange(len(truth_N)), truth_N]
    return ConformalScores(method, own_N.astype(np.float32), truth_N, per_label)


def prediction_sets(
    probabilities_NC: NDArray[np.floating], thresholds_C: NDArray[np.float64], *, method: Method
) -> NDArray[np.bool_]:
    """Return which labels are in the set of each image; the best one always is."""
    # Calibration scores are stored as float32: compare like with like.
    scores_NC = nonconformity(probabilities_NC, method=method).astype(np.float32)
    inside_NC: NDArray[np.bool_] = scores_NC <= thresholds_C
    inside_NC[np.arange(len(inside_NC)), np.argmax(probabilities_NC, axis=1)] = True
    return inside_NC


def nonconformity(probabilities_NC: NDArray[np.floating], *, method: Method) -> NDArray[np.float64]:
    """Return how little each label conforms (N, C): low for the likely ones.

    Raises:
        UsageError: an unknown method.
    """
    if method == "lac":
        lac_NC: NDArray[np.float64] = 1.0 - probabilities_NC.astype(np.float64)
        return lac_NC
    if method != "aps":
        raise UsageError(f"method = {method!r}: expected {' or '.join(METHODS)}", param="conformal")
    order_NC = np.argsort(-probabilities_NC, axis=1, kind="stable")
    ordered_NC = np.take_along_axis(probabilities_NC.astype(np.float64), order_NC, axis=1)
    sums_NC = np.cumsum(ordered_NC, axis=1)
    scores_NC = np.empty_like(sums_NC)
    np.put_along_axis(scores_NC, order_NC, sums_NC, axis=1)
    return scores_NC


def conformal_quantile(scores_N: NDArray[np.floating], alpha: float) -> float:
    """Return q; infinite where there are too few scores to promise anything.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    rank = _rank(len(scores_N), alpha)
    if rank > len(scores_N):
        return math.inf
    return float(np.sort(scores_N)[rank - 1])


def least_images(alpha: float) -> int:
    """Return how many images it takes for a finite threshold: ceil(1 / alpha) - 1.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    _check_alpha(alpha)
    return max(1, math.ceil(1.0 / alpha - _ROUNDING) - 1)


def _rank(images: int, alpha: float) -> int:
    _check_alpha(alpha)
    return max(1, math.ceil((images + 1) * (1.0 - alpha) - _ROUNDING))


def _check_alpha(alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise UsageError(f"alpha = {alpha}: expected a number between 0 and 1", param="alpha")
