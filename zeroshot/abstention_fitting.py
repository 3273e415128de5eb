"""Thresholds for giving no label, fitted on images of the labels and images of none of them.

# N = known images, M = unknown images, C = labels
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import IdArray
from zeroshot.scores import Scores
from zeroshot.separation import auroc, false_positive_rate, threshold_keeping

DEFAULT_KEEP = 0.95
"""Share of the known images that still get a label, as in "FPR at 95 % TPR"."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, and how well its number tells known images from unknown ones."""

    name: str
    """``min_cosine``, ``max_energy``, ``min_score`` or ``min_margin``."""
    threshold: float
    auroc: float
    false_positive_rate: float
    """Share of the unknown images that still get a label."""


def fit_rules(known: Scores, unknown: Scores, *, keep: float = DEFAULT_KEEP) -> tuple[Rule, ...]:
    """Return every rule with the threshold that keeps ``keep`` of the known images, best first.

    The first one is the rule to use: highest AUROC, then the order of the reasons.

    Raises:
        UsageError: no known or no unknown images.
    """
    known_values, unknown_values = _values(known), _values(unknown)
    rules = []
    for name, values_N in known_values.items():
        values_M = unknown_values[name]
        threshold = threshold_keeping(values_N, share=keep)
        rules.append(
            Rule(
                name=name,
                threshold=-threshold if name == "max_energy" else threshold,
                auroc=auroc(values_N, values_M),
                false_positive_rate=false_positive_rate(
                    values_N, values_M, true_positive_rate=keep
                ),
            )
        )
    return tuple(sorted(rules, key=lambda rule: -rule.auroc))


def fit_label_scores(
    scores_NC: NDArray[np.floating], truth_N: IdArray, *, precision: float
) -> tuple[float | None, ...]:
    """Return per label the least score from which on it is right in ``precision`` of the cases.

    Of the images whose best label it is, unknown ones (truth -1) among them. ``None`` where no
    score reaches the precision, or no image has the label as its best.

    Raises:
        UsageError: the precision is out of range, or the shapes differ.
    """
    if not 0.0 < precision <= 1.0:
        raise UsageError(
            f"target precision {precision}: expected above 0 and at most 1",
            param="target_precision",
        )
    if scores_NC.shape[:1] != truth_N.shape:
        raise UsageError(f"scores have the shape {scores_NC.shape}, truths {truth_N.shape}")
    best_N = np.argmax(scores_NC, axis=1)
    thresholds: list[float | None] = []
    for label in range(scores_NC.shape[1]):
        rows = np.flatnonzero(best_N == label)
        own_N = scores_NC[rows, label].astype(np.float64)
        thresholds.append(_least_score(own_N, truth_N[rows] == label, precision))
    return tuple(thresholds)


def _least_score(
    scores_N: NDArray[np.float64], right_N: NDArray[np.bool_], precision: float
) -> float | None:
    """Return the lowest score at which the precision of all at or above it is reached."""
    if len(scores_N) == 0:
        return None
    order_N = np.argsort(-scores_N, kind="stable")
    ordered_N = scores_N[order_N]
    precisions_N = np.cumsum(right_N[order_N]) / np.arange(1, len(order_N) + 1)
    # A threshold takes all images of one score or none of them.
    last_of_score_N = np.append(ordered_N[1:] != ordered_N[:-1], True)
    reached = np.flatnonzero((precisions_N >= precision) & last_of_score_N)
    return float(ordered_N[reached[-1]]) if len(reached) else None


def _values(scores: Scores) -> dict[str, NDArray[np.float64]]:
    """Return the number behind each rule, higher meaning known, in the order of the reasons."""
    best = [scores.top(image, 2) for image in range(len(scores.scores_NC))]
    runner_up = [row[1].score if len(row) > 1 else 0.0 for row in best]
    score_N = np.array([row[0].score for row in best], np.float64)
    return {
        "min_cosine": np.array([row[0].cosine for row in best], np.float64),
        "max_energy": -scores.energies_N,
        "min_score": score_N,
        "min_margin": score_N - np.array(runner_up, np.float64),
    }
