"""Prediction sets that hold the true label with a promised chance: coverage and size on a test.

# N = images scored, C = classes
"""

from __future__ import annotations

import math

import numpy as np

from core.measures.intervals import wilson_interval
from core.types import JSONObject
from evaluation.predictions import Predictions
from zeroshot.conformal import METHODS, fit_conformal, least_images, prediction_sets


def conformal_json(test: Predictions, calibration: Predictions, *, alpha: float) -> JSONObject:
    """Return for each method the threshold, and what its sets are on the test.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    classes = len(test.labels)
    methods: JSONObject = {}
    for method in METHODS:
        scores = fit_conformal(calibration.probabilities_NC, calibration.truth_N, method=method)
        thresholds_C, _ = scores.thresholds(alpha, classes=classes)
        inside_NC = prediction_sets(test.probabilities_NC, thresholds_C, method=method)
        holds_N = inside_NC[np.arange(len(test.truth_N)), test.truth_N]
        interval = wilson_interval(int(holds_N.sum()), len(holds_N))
        sizes, counts = np.unique(inside_NC.sum(axis=1), return_counts=True)
        threshold = float(thresholds_C[0])
        methods[method] = {
            "threshold": threshold if math.isfinite(threshold) else None,
            "coverage": float(holds_N.mean()),
            "coverage_ci_low": interval.low,
            "coverage_ci_high": interval.high,
            "mean_size": float(inside_NC.sum(axis=1).mean()),
            "sizes": [
                {"size": int(size), "images": int(count)}
                for size, count in zip(sizes, counts, strict=True)
            ],
        }
    return {
        "alpha": alpha,
        "calibration_images": len(calibration.pairs),
        "enough_images": len(calibration.pairs) >= least_images(alpha),
        "methods": methods,
    }
