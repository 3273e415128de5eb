"""From scores to answers: the label or the reason to give none, and the prediction set.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import ConflictError, UsageError
from core.types import FloatArray, JSONObject, JSONValue
from zeroshot.abstention import Abstain
from zeroshot.calibration import Calibration
from zeroshot.classifier import Classifier, Mode
from zeroshot.conformal import ConformalScores, least_images, prediction_sets
from zeroshot.scores import LabelScore, Scores, softmax

_SHOWN_LABELS = 5
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class LabellingOptions:
    """How to answer."""

    mode: Mode = "single"
    top_k: int = 5
    """Labels in the answer."""
    temperature: float | None = None
    """Divides the logits in place of the fitted temperature; the scores are then not calibrated."""
    abstain: Abstain | None = None
    """When to give no label; ``None``: the fitted rules, where there are any."""
    alpha: float | None = None
    """Asks for prediction sets that miss the true label in at most this share of the images."""


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """The answer for one image."""

    label: str | None
    reason: str | None
    """The rule because of which no label is given."""
    top: tuple[LabelScore, ...]
    calibrated: bool
    """Whether the scores were fitted on labelled images."""
    prediction_set: tuple[str, ...] | None = None
    """Labels of which the true one is one with probability 1 - alpha; best first."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The answers for N images, and what is to be known of all of them."""

    images: tuple[ImageLabels, ...]
    warnings: tuple[str, ...]


def label_images(
    classifier: Classifier,
    images_ND: FloatArray,
    options: LabellingOptions,
    *,
    calibration: Calibration | None = None,
) -> Labelled:
    """Label images, with what was fitted where it was fitted for this mode.

    Raises:
        UsageError: an option out of range, or a prediction set in mode ``multi``.
        ConflictError: a prediction set is asked for and nothing was calibrated.
    """
    fitted = calibration if options.temperature is None else None
    if fitted is not None and fitted.options.mode != options.mode:
        raise UsageError(f"calibration of mode {fitted.options.mode}, asked for {options.mode}")
    fit = None if fitted is None else fitted.temperature
    scores = classifier.classify(
        images_ND,
        mode=options.mode,
        temperature=options.temperature if fit is None else fit.temperature,
        platt=None if fitted is None else fitted.platt,
    )
    sets, warnings = _prediction_sets(classifier, scores, options, calibration)
    abstain = options.abstain or (Abstain() if fitted is None else fitted.abstain)
    answers = [
        _answer(scores, image, options.top_k, abstain, fitted) for image in range(len(images_ND))
    ]
    if sets is not None:
        answers = [_with_set(answer, found) for answer, found in zip(answers, sets, strict=True)]
    return Labelled(tuple(answers), (*classifier.warnings, *warnings))


def image_labels_object(found: ImageLabels) -> JSONObject:
    """Return the answer for one image in the shape of ``POST /v1/classify``."""
    labels: list[JSONValue] = [
        {
            "label": item.label,
            "score": round(item.score, _DIGITS),
            "cosine": round(item.cosine, _DIGITS),
            "background": item.background,
        }
        for item in found.top
    ]
    return {
        "status": "ok",
        "label": found.label,
        "abstained": found.reason is not None,
        "reason": found.reason,
        "labels": labels,
        "calibrated": found.calibrated,
        "prediction_set": None if found.prediction_set is None else list(found.prediction_set),
    }


def _answer(
    scores: Scores, image: int, top_k: int, abstain: Abstain, fitted: Calibration | None
) -> ImageLabels:
    top = scores.top(image, top_k)
    reason = abstain.reason(scores, image)
    return ImageLabels(
        label=None if reason else top[0].label,
        reason=reason,
        top=top,
        calibrated=_is_calibrated(fitted, scores, top[0].label),
    )


def _is_calibrated(fitted: Calibration | None, scores: Scores, label: str) -> bool:
    """Return whether the best label's score was fitted; in mode multi each label has a line."""
    if fitted is None:
        return False
    if fitted.platt is None:
        return True
    return bool(fitted.platt.fitted[scores.labels.index(label)])


def _with_set(answer: ImageLabels, found: tuple[str, ...]) -> ImageLabels:
    return ImageLabels(answer.label, answer.reason, answer.top, answer.calibrated, found)


def _prediction_sets(
    classifier: Classifier,
    scores: Scores,
    options: LabellingOptions,
    calibration: Calibration | None,
) -> tuple[list[tuple[str, ...]] | None, list[str]]:
    """Return the set of each image and warnings, or no sets where none are asked for."""
    if options.alpha is None:
        return None, []
    if options.mode != "single":
        raise UsageError("prediction sets are for mode single; leave out alpha", param="alpha")
    if calibration is None or calibration.conformal is None:
        raise ConflictError(
            "prediction sets need a label set that was calibrated with this model, head and "
            "templates; calibrate it with labelled images first",
            param="alpha",
            code="not_calibrated",
        )
    conformal = calibration.conformal
    thresholds_C, shared = conformal.thresholds(options.alpha, classes=len(classifier.labels))
    # The promise is for the model's own probabilities: see zeroshot.calibration.
    raw_NC = softmax(scores.logits_NC).astype(np.float32)
    inside_NC = prediction_sets(raw_NC, thresholds_C, method=conformal.method)
    sets = [
        tuple(
            classifier.labels[c]
            for c in np.argsort(-scores.logits_NC[row], kind="stable")
            if inside_NC[row, c] and c not in classifier.background
        )
        for row in range(len(inside_NC))
    ]
    real = [classifier.labels[c] for c in shared if c not in classifier.background]
    return sets, _set_warnings(conformal, options.alpha, real)


def _set_warnings(conformal: ConformalScores, alpha: float, shared: list[str]) -> list[str]:
    images, least = len(conformal.scores_N), least_images(alpha)
    if images < least:
        few = f"{images} calibration images promise nothing at alpha {alpha:g}"
        return [f"{few}: the sets hold all labels; give at least {least}"]
    if not shared:
        return []
    few = f"{len(shared)} labels have fewer than {least} calibration images"
    return [f"{few} and share the threshold of all: {', '.join(shared[:_SHOWN_LABELS])}"]
