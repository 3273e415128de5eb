"""What a calibration changed on the images that it was fitted on: before, after, and who is left.

# N = images, C = labels, D = embedding dimension, P = confidences
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.types import JSONObject
from zeroshot.calibration import Calibration, LabelledImages
from zeroshot.classifier import Classifier
from zeroshot.labelling import LabellingOptions, label_images
from zeroshot.reliability import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
    reliability_object,
)
from zeroshot.scores import Scores

SHOWN_BINS = 10
"""Bins of the diagrams. The calibration error itself has 15, as everywhere."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How sure the scores were and how often they were right."""

    ece: float
    """Expected calibration error, 15 bins."""
    bins: tuple[ReliabilityBin, ...]
    """Those that hold an image."""


@dataclass(frozen=True, slots=True)
class CalibrationEffect:
    """Before and after, on the images of the calibration themselves."""

    accuracy: float
    """Share of the images with a label whose best label is right; calibrating does not change it
    in mode ``single``."""
    before: Reliability | None
    after: Reliability | None
    """``None``: mode ``multi``, and no label has a line."""
    labelled: float
    """Share of the images with a label that are given one, by the fitted rules."""
    accuracy_of_labelled: float | None
    """Share of those whose label is right; ``None`` where none is given one."""
    unknown_labelled: float | None
    """Share of the images of none of the labels that are given one all the same."""


def calibration_effect(
    classifier: Classifier, images: LabelledImages, calibration: Calibration
) -> CalibrationEffect:
    """Label the images of a calibration without it and with it.

    Args:
        classifier: with the head that the calibration belongs to.
        images: that it was fitted on; some of them have a label.
        calibration: what was fitted.
    """
    mode = calibration.options.mode
    fit = calibration.temperature
    before = classifier.classify(images.embeddings_ND, mode=mode)
    after = classifier.classify(
        images.embeddings_ND,
        mode=mode,
        temperature=None if fit is None else fit.temperature,
        platt=calibration.platt,
    )
    known_N = images.holds_NC.any(axis=1)
    given = label_images(
        classifier,
        images.embeddings_ND,
        LabellingOptions(mode=mode, top_k=1),
        calibration=calibration,
    )
    labelled_N = np.array([image.label is not None for image in given.images])
    best_N = np.argmax(after.scores_NC, axis=1)
    right_N = images.holds_NC[np.arange(len(best_N)), best_N]
    return CalibrationEffect(
        accuracy=float(right_N[known_N].mean()),
        before=_reliability(before, images.holds_NC, calibration),
        after=_reliability(after, images.holds_NC, calibration),
        labelled=float(labelled_N[known_N].mean()),
        accuracy_of_labelled=_share(right_N[known_N & labelled_N]),
        unknown_labelled=_share(labelled_N[~known_N]),
    )


def calibration_effect_object(effect: CalibrationEffect) -> JSONObject:
    """Return the before and after as answers give it."""
    return {
        "accuracy": effect.accuracy,
        "before": _reliability_object(effect.before),
        "after": _reliability_object(effect.after),
        "labelled": effect.labelled,
        "accuracy_of_labelled": effect.accuracy_of_labelled,
        "unknown_labelled": effect.unknown_labelled,
    }


def _reliability(
    scores: Scores, holds_NC: NDArray[np.bool_], calibration: Calibration
) -> Reliability | None:
    """Return the reliability of the best labels, or in mode ``multi`` of all that have a line."""
    if calibration.platt is None:
        known_N = holds_NC.any(axis=1)
        best_N = np.argmax(scores.scores_NC, axis=1)
        rows_N = np.arange(len(best_N))
        confidence_P = scores.scores_NC[rows_N, best_N][known_N]
        right_P = holds_NC[rows_N, best_N][known_N]
    else:
        confidence_P = scores.scores_NC[:, calibration.platt.fitted].ravel()
        right_P = holds_NC[:, calibration.platt.fitted].ravel()
    if confidence_P.size == 0:
        return None
    return Reliability(
        ece=expected_calibration_error(confidence_P, right_P),
        bins=reliability_bins(confidence_P, right_P, bins=SHOWN_BINS),
    )


def _reliability_object(found: Reliability | None) -> JSONObject | None:
    if found is None:
        return None
    return {"ece": found.ece, "bins": [reliability_object(each) for each in found.bins]}


def _share(values_N: NDArray[np.bool_]) -> float | None:
    return float(values_N.mean()) if values_N.size else None
