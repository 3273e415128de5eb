"""Temperature scaling: one number that makes the scores as sure as they are right.

Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.

# N = images, C = labels
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray
from zeroshot.reliability import expected_calibration_error, negative_log_likelihood
from zeroshot.scores import softmax

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 100.0
"""Bounds of the search; an end of them is reached where all labels, or none, are right."""

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_PRECISION = 1e-6


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """A fitted temperature and what it changed on the images it was fitted on."""

    temperature: float
    """Divides the logits."""
    images: int
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    """Expected calibration error of the best label, 15 bins."""
    accuracy: float
    """The same before and after: dividing by one number changes no order."""
    at_bound: bool
    """Whether the search ended at a bound: too few images, or all of them right."""


def fit_temperature(logits_NC: NDArray[np.float64], truth_N: IdArray) -> TemperatureFit:
    """Find the temperature of least negative log-likelihood by golden-section search on its log.

    The loss is convex in 1 / T and so has a single minimum in log T.

    Raises:
        UsageError: no images, shapes that do not fit, or logits that are not finite.
    """
    _check(logits_NC, truth_N)
    low, high = math.log(LEAST_TEMPERATURE), math.log(MOST_TEMPERATURE)
    best = _golden_section(lambda log_t: _loss(logits_NC, truth_N, math.exp(log_t)), low, high)
    temperature = math.exp(best)
    before_NC, after_NC = softmax(logits_NC), softmax(logits_NC / temperature)
    correct_N = np.argmax(logits_NC, axis=1) == truth_N
    return TemperatureFit(
        temperature=temperature,
        images=len(truth_N),
        nll_before=negative_log_likelihood(before_NC, truth_N),
        nll_after=negative_log_likelihood(after_NC, truth_N),
        ece_before=expected_calibration_error(before_NC.max(axis=1), correct_N),
        ece_after=expected_calibration_error(after_NC.max(axis=1), correct_N),
        accuracy=float(correct_N.mean()),
        at_bound=min(best - low, high - best) < 10 * _PRECISION,
    )


def _golden_section(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with a single minimum is least."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _PRECISION:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return (low + high) / 2.0


def _loss(logits_NC: NDArray[np.float64], truth_N: IdArray, temperature: float) -> float:
    """Return the negative log-likelihood, from logits so that nothing underflows."""
    scaled_NC = logits_NC / temperature
    largest_N = scaled_NC.max(axis=1)
    log_sums_N = largest_N + np.log(np.exp(scaled_NC - largest_N[:, None]).sum(axis=1))
    return float((log_sums_N - scaled_NC[np.arange(len(truth_N)), truth_N]).mean())


def _check(logits_NC: NDArray[np.float64], truth_N: IdArray) -> None:
    if logits_NC.ndim != 2 or truth_N.shape != logits_NC.shape[:1] or len(truth_N) == 0:  # noqa: PLR2004 - rows and columns
        raise UsageError(
            f"logits have the shape {logits_NC.shape}, truths {truth_N.shape}: expected (N, C) and "
            "(N,) with at least one image"
        )
    if not np.isfinite(logits_NC).all() or truth_N.min() < 0 or truth_N.max() >= logits_NC.shape[1]:
        raise UsageError(
            f"logits must be finite and truths 0 to {logits_NC.shape[1] - 1}; verify the model"
        )
