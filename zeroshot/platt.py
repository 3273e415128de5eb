"""Platt scaling: cosine to probability, one line per label, for mode ``multi``.

    p_c = sigmoid(a_c * cosine_c + d_c)

Source: Platt 1999, "Probabilistic outputs for support vector machines"; the targets and the Newton
steps with a halved step where the loss would rise are those of Lin, Lin and Weng 2007, "A note on
Platt's probabilistic outputs", Machine Learning 68, algorithm 1.

# N = images, C = labels, F = values of an image, P = parameters
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray
from zeroshot.scores import sigmoid

_MOST_STEPS = 100
_GRADIENT_DONE = 1e-8
_RIDGE = 1e-12
_LEAST_STEP = 1e-10


@dataclass(frozen=True, slots=True)
class Platt:
    """Slopes and offsets of the labels; NaN where none could be fitted."""

    slopes_C: FloatArray
    offsets_C: FloatArray

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which labels have a line of their own."""
        fitted_C: NDArray[np.bool_] = np.isfinite(self.slopes_C)
        return fitted_C

    def logits(
        self, cosines_NC: NDArray[np.float64], otherwise_NC: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return a * cosine + d, and ``otherwise`` for the labels without a line."""
        lines_NC = self.slopes_C.astype(np.float64) * cosines_NC + self.offsets_C
        logits_NC: NDArray[np.float64] = np.where(self.fitted, lines_NC, otherwise_NC)
        return logits_NC


def fit_platt(cosines_NC: NDArray[np.float64], holds_NC: NDArray[np.bool_]) -> Platt:
    """Fit a line per label.

    A label gets none if it holds for no image or for every one, or if it would hold the less the
    higher its cosine is.

    Args:
        cosines_NC: of the images with the labels.
        holds_NC: whether the label holds for the image.

    Raises:
        UsageError: the shapes differ.
    """
    if cosines_NC.shape != holds_NC.shape:
        raise UsageError(f"cosines have the shape {cosines_NC.shape}, truths {holds_NC.shape}")
    lines = [
        fit_line(cosines_NC[:, label], holds_NC[:, label]) for label in range(cosines_NC.shape[1])
    ]
    kept_C2 = [line if line is not None and line[0] > 0.0 else (np.nan, np.nan) for line in lines]
    lines_C2 = np.array(kept_C2, np.float32).reshape(-1, 2)
    return Platt(slopes_C=lines_C2[:, 0], offsets_C=lines_C2[:, 1])


def fit_line(
    values_N: NDArray[np.float64], holds_N: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Return slope and offset of one label, or ``None`` if all images are of one kind."""
    plane = fit_plane(values_N[:, None], holds_N)
    return None if plane is None else (float(plane[0][0]), plane[1])


def fit_plane(
    values_NF: NDArray[np.float64], holds_N: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float] | None:
    """Return slopes (F,) and the offset of several values, ``None`` if all rows are of one kind."""
    positives = int(np.count_nonzero(holds_N))
    negatives = len(holds_N) - positives
    if not (positives and negatives):
        return None
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    targets_N = np.where(holds_N, high, low)
    # Cosines of one label differ by hundredths: in units of their spread Newton is well behaved.
    centre_F, spread_F = values_NF.mean(axis=0), values_NF.std(axis=0)
    spread_F = np.where(spread_F > 0.0, spread_F, 1.0)
    design_NP = np.column_stack([(values_NF - centre_F) / spread_F, np.ones(len(values_NF))])
    prior = float(np.log((positives + 1) / (negatives + 1)))
    found_P = _newton(design_NP, targets_N, start=prior)
    slopes_F = found_P[:-1] / spread_F
    return slopes_F, float(found_P[-1] - slopes_F @ centre_F)


def _newton(
    design_NP: NDArray[np.float64], targets_N: NDArray[np.float64], *, start: float
) -> NDArray[np.float64]:
    """Return the parameters of least cross-entropy; the last column is that of the offset."""
    plane_P = np.zeros(design_NP.shape[1])
    plane_P[-1] = start
    loss = _loss(design_NP @ plane_P, targets_N)
    for _ in range(_MOST_STEPS):
        found_N = sigmoid(design_NP @ plane_P)
        gradient_P = design_NP.T @ (found_N - targets_N)
        if np.abs(gradient_P).max() < _GRADIENT_DONE:
            break
        weights_N1 = (found_N * (1.0 - found_N))[:, None]
        hessian_PP = design_NP.T @ (weights_N1 * design_NP) + _RIDGE * np.eye(len(plane_P))
        step_P, size = np.linalg.solve(hessian_PP, gradient_P), 1.0
        while size > _LEAST_STEP:
            changed = _loss(design_NP @ (plane_P - size * step_P), targets_N)
            if changed < loss:
                plane_P, loss = plane_P - size * step_P, changed
                break
            size /= 2.0
        else:
            break
    return plane_P


def _loss(logits_N: NDArray[np.float64], targets_N: NDArray[np.float64]) -> float:
    """Return the sum of the cross-entropies, without overflow."""
    softplus_N = np.logaddexp(0.0, logits_N)
    return float(np.sum(softplus_N - targets_N * logits_N))
