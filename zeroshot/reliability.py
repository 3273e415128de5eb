"""How far probabilities are from what happens: calibration error and log-loss.

# N = images, C = labels, B = bins
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import UsageError
from core.types import IdArray, JSONObject

DEFAULT_BINS = 15
"""As in Guo et al. 2017."""

_LEAST_PROBABILITY = 1e-300


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose confidence is above ``low`` and at most ``high``."""

    low: float
    high: float
    images: int
    confidence: float
    """Mean confidence."""
    accuracy: float
    """Share that is right; equal to the confidence where the scores are calibrated."""


def expected_calibration_error(
    confidence_N: ArrayLike, correct_N: ArrayLike, *, bins: int = DEFAULT_BINS
) -> float:
    """Return the mean over bins of |accuracy - confidence|, weighed by the images of the bin.

    Bins have equal width and hold their upper end.
    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.

    Raises:
        UsageError: no images, two different numbers of them, or no bins.
    """
    confidences_N, hits_N, places_N = _binned(confidence_N, correct_N, bins)
    gaps_B = np.bincount(places_N, hits_N - confidences_N, minlength=bins)
    return float(np.abs(gaps_B).sum() / confidences_N.size)


def reliability_bins(
    confidence_N: ArrayLike, correct_N: ArrayLike, *, bins: int = DEFAULT_BINS
) -> tuple[ReliabilityBin, ...]:
    """Return the bins of the calibration error that hold an image, lowest first.

    Raises:
        UsageError: no images, two different numbers of them, or no bins.
    """
    confidences_N, hits_N, places_N = _binned(confidence_N, correct_N, bins)
    counts_B = np.bincount(places_N, minlength=bins)
    sums_B = np.bincount(places_N, confidences_N, minlength=bins)
    right_B = np.bincount(places_N, hits_N, minlength=bins)
    return tuple(
        ReliabilityBin(
            low=place / bins,
            high=(place + 1) / bins,
            images=int(counts_B[place]),
            confidence=float(sums_B[place] / counts_B[place]),
            accuracy=float(right_B[place] / counts_B[place]),
        )
        for place in np.flatnonzero(counts_B).tolist()
    )


def reliability_object(found: ReliabilityBin) -> JSONObject:
    """Return a bin as answers give it."""
    return asdict(found)


def negative_log_likelihood(probabilities_NC: NDArray[np.floating], truth_N: IdArray) -> float:
    """Return the mean of -log of the probability of the true label, in nats.

    Raises:
        UsageError: no images.
    """
    if len(truth_N) == 0:
        raise UsageError("the log-loss of no images is not defined; give at least one")
    own_N = probabilities_NC[np.arange(len(truth_N)), truth_N].astype(np.float64)
    return float(-np.log(np.maximum(own_N, _LEAST_PROBABILITY)).mean())


def _binned(
    confidence_N: ArrayLike, correct_N: ArrayLike, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], IdArray]:
    """Return confidences, outcomes and the bin of each image."""
    confidences_N = np.asarray(confidence_N, np.float64)
    hits_N = np.asarray(correct_N, np.float64)
    if confidences_N.shape != hits_N.shape or confidences_N.size == 0 or bins < 1:
        raise UsageError(
            f"{confidences_N.shape} confidences, {hits_N.shape} outcomes and {bins} bins: expected "
            "as many of both, and at least one bin"
        )
    places_N = np.clip(np.ceil(confidences_N * bins).astype(np.int64) - 1, 0, bins - 1)
    return confidences_N, hits_N, places_N
