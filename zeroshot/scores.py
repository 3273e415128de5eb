"""Scores of labels: from logits to probabilities, and the best labels of an image.

# N = images, C = labels
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label for one image."""

    label: str
    score: float
    """Probability: over all labels in mode ``single``, of its own in mode ``multi``."""
    cosine: float
    background: bool = False
    """Whether it stands for "none of these"."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a classifier says of N images."""

    labels: tuple[str, ...]
    scores_NC: FloatArray
    """Probabilities: rows sum to 1 in mode ``single``, independent ones in mode ``multi``."""
    cosines_NC: FloatArray
    logits_NC: NDArray[np.float64]
    """The logits before any temperature; the order of the labels is the order of these."""
    energies_N: NDArray[np.float64]
    """-log of the sum of exp(logit) over the labels: low where something fits.
    Source: Liu et al. 2020, arXiv:2010.03759, equation 4 at temperature 1."""
    background: frozenset[int] = frozenset()
    """Columns of the labels that stand for "none of these"."""

    def top(self, image: int, k: int) -> tuple[LabelScore, ...]:
        """Return the best ``k`` labels of an image: logit, then cosine, then order of the labels.

        Logits and not scores, which run out of digits where one label is sure.

        Raises:
            UsageError: k is below 1.
        """
        if k < 1:
            raise UsageError(f"top_k = {k}: expected 1 or more", param="top_k")
        scores_C, cosines_C = self.scores_NC[image], self.cosines_NC[image]
        order_C = np.lexsort((-cosines_C, -self.logits_NC[image]))[:k]
        return tuple(
            LabelScore(
                self.labels[c], float(scores_C[c]), float(cosines_C[c]), int(c) in self.background
            )
            for c in order_C
        )


def softmax(logits_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the softmax of each row; any finite logits are fine."""
    shifted_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
    softmax_NC: NDArray[np.float64] = shifted_NC / shifted_NC.sum(axis=1, keepdims=True)
    return softmax_NC


def sigmoid(logits_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-z)) of each logit; any finite logits are fine."""
    # exp of -|z| cannot overflow.
    small_NC = np.exp(-np.abs(logits_NC))
    sigmoid_NC: NDArray[np.float64] = np.where(logits_NC >= 0.0, 1.0, small_NC) / (1.0 + small_NC)
    return sigmoid_NC


def log_mean_exp(logits_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(mean(exp(z))) of each row, shape (N, 1); any finite logits are fine."""
    largest_N1 = logits_NC.max(axis=1, keepdims=True)
    means_N1: NDArray[np.float64] = np.exp(logits_NC - largest_N1).mean(axis=1, keepdims=True)
    log_means_N1: NDArray[np.float64] = largest_N1 + np.log(means_N1)
    return log_means_N1


def energies(logits_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log(sum(exp(z))) of each row, shape (N,)."""
    energies_N: NDArray[np.float64] = -log_mean_exp(logits_NC)[:, 0] - np.log(logits_NC.shape[1])
    return energies_N
