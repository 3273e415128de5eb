"""What the plots of confidence are drawn from: reliability, risk and coverage, thresholds.

# N = images scored, B = bins, T = thresholds
"""

from __future__ import annotations

import math

import numpy as np

from core.types import IdArray, JSONObject, JSONValue
from evaluation.calibration_metrics import reliability
from evaluation.predictions import Predictions
from evaluation.selective_metrics import risk_coverage
from evaluation.threshold_metrics import threshold_curve, threshold_for_precision

_MOST_POINTS = 200
_TARGETS = (0.8, 0.9, 0.95, 0.99)


def confidence_json(predictions: Predictions) -> JSONObject:
    """Return the curves of the best label's probability, thinned to what a plot can show."""
    confidence_N, correct_N = predictions.confidence_N, predictions.correct_N
    found = reliability(confidence_N, correct_N)
    curve = risk_coverage(confidence_N, correct_N)
    kept = _thinned(len(curve.thresholds_T))
    return {
        "reliability": [
            {
                "from": float(found.edges[place]),
                "to": float(found.edges[place + 1]),
                "images": int(found.count_B[place]),
                "confidence": _number(found.confidence_B[place]),
                "accuracy": _number(found.accuracy_B[place]),
            }
            for place in range(len(found.count_B))
        ],
        "risk_coverage": [
            {
                "threshold": float(curve.thresholds_T[place]),
                "coverage": float(curve.coverage_T[place]),
                "risk": float(curve.risk_T[place]),
            }
            for place in kept.tolist()
        ],
        **_thresholds(predictions),
    }


def _thresholds(predictions: Predictions) -> JSONObject:
    """Return precision, recall and F1 of the answered images by threshold, and points on them."""
    confidence_N, correct_N = predictions.confidence_N, predictions.correct_N
    if not correct_N.any():
        return {"precision_recall": [], "operating_points": []}
    curve = threshold_curve(confidence_N, correct_N)
    precision_T, recall_T, f1_T = curve.precision_T, curve.recall_T, curve.f1_T
    points: list[JSONValue] = []
    for target in _TARGETS:
        point = threshold_for_precision(confidence_N, correct_N, target)
        counts = None if point is None else point.counts
        answered = 0 if counts is None else counts.true_positives + counts.false_positives
        points.append(
            {
                "target_precision": target,
                "threshold": None if point is None else point.threshold,
                "precision": None if counts is None else counts.true_positives / answered,
                "coverage": answered / len(confidence_N),
            }
        )
    return {
        "precision_recall": [
            {
                "threshold": float(curve.thresholds_T[place]),
                "precision": float(precision_T[place]),
                "recall": float(recall_T[place]),
                "f1": float(f1_T[place]),
            }
            for place in _thinned(len(curve.thresholds_T)).tolist()
        ],
        "operating_points": points,
    }


def _thinned(count: int) -> IdArray:
    """Return places spread evenly over ``count``, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(np.int64))


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
