"""Calibration of a classifier on labelled images: scores, thresholds and prediction sets.

For mode ``single``: a temperature, rules for giving no label (where there are unknown images),
least scores per label (where a precision is asked for), and conformal scores. For mode ``multi``:
Platt lines. The conformal scores are those at temperature 1, so that nothing that was fitted on the
same images enters the promise of the sets.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray
from zeroshot.abstention import Abstain
from zeroshot.abstention_fitting import DEFAULT_KEEP, Rule, fit_label_scores, fit_rules
from zeroshot.classifier import Classifier, Mode
from zeroshot.conformal import ConformalScores, Method, fit_conformal
from zeroshot.few_shot import fold_of_examples
from zeroshot.platt import Platt, fit_platt
from zeroshot.reliability import expected_calibration_error
from zeroshot.scores import softmax
from zeroshot.temperature import TemperatureFit, fit_temperature

LEAST_HELD_OUT = 20
"""Images from which on the calibration error is also measured on images that were not fitted."""


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Unit image embeddings and the labels that hold for each; none for an unknown image."""

    embeddings_ND: FloatArray
    holds_NC: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """What to fit."""

    mode: Mode = "single"
    """Which scores are meant."""
    keep: float = DEFAULT_KEEP
    """Share of the known images that the fitted rule still labels, above 0 to 1."""
    target_precision: float | None = None
    """Precision that each label shall reach by a least score of its own; ``None``: none."""
    conformal: Method = "lac"
    """Score of the prediction sets: ``lac`` has the smallest sets, ``aps`` the most even ones."""
    per_label: bool = False
    """Whether each label gets its own conformal threshold, where it has the images for it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted; ``zeroshot.labelling`` applies it."""

    options: CalibrationOptions
    known: int
    """Images with a label."""
    unknown: int
    """Images of none of the labels."""
    temperature: TemperatureFit | None = None
    ece_held_out: float | None = None
    """Calibration error on images that the temperature was not fitted on: two halves, each judged
    with the temperature of the other."""
    platt: Platt | None = None
    rules: tuple[Rule, ...] = ()
    """Best first; the first one is applied. Empty without unknown images."""
    label_scores: Mapping[str, float | None] = field(default_factory=lambda: MappingProxyType({}))
    """Least score per label; ``None`` where the precision is not reached, and no label is given."""
    conformal: ConformalScores | None = None
    warnings: tuple[str, ...] = ()

    @property
    def abstain(self) -> Abstain:
        """The fitted rules, in force where a request names none of its own."""
        chosen = {self.rules[0].name: self.rules[0].threshold} if self.rules else {}
        return Abstain(
            min_score=chosen.get("min_score"),
            min_margin=chosen.get("min_margin"),
            min_cosine=chosen.get("min_cosine"),
            max_energy=chosen.get("max_energy"),
            label_scores=self.label_scores,
        )


def calibrate(
    classifier: Classifier, images: LabelledImages, options: CalibrationOptions
) -> Calibration:
    """Fit on images that had no part in fitting the head.

    Raises:
        UsageError: no labelled image, shapes that do not fit, an image of several labels in mode
            ``single``, or an option out of range.
    """
    _check(classifier, images, options)
    if options.mode == "multi":
        return _multi(classifier, images, options)
    return _single(classifier, images, options)


def _single(
    classifier: Classifier, images: LabelledImages, options: CalibrationOptions
) -> Calibration:
    known_N = images.holds_NC.any(axis=1)
    if (images.holds_NC.sum(axis=1) > 1).any():
        raise UsageError(
            "an image has several labels; calibrate mode multi, or give each image one label",
            param="labels",
        )
    truth_N = np.argmax(images.holds_NC[known_N], axis=1).astype(np.int64)
    raw = classifier.classify(images.embeddings_ND[known_N])
    fit = fit_temperature(raw.logits_NC, truth_N)
    scores = classifier.classify(images.embeddings_ND, temperature=fit.temperature)
    rules: tuple[Rule, ...] = ()
    if not known_N.all():
        known = classifier.classify(images.embeddings_ND[known_N], temperature=fit.temperature)
        unknown = classifier.classify(images.embeddings_ND[~known_N], temperature=fit.temperature)
        rules = fit_rules(known, unknown, keep=options.keep)
    truths_N = np.where(known_N, np.argmax(images.holds_NC, axis=1), -1)
    least = _label_scores(classifier, scores.scores_NC, truths_N, options.target_precision)
    return Calibration(
        options=options,
        known=int(known_N.sum()),
        unknown=int((~known_N).sum()),
        temperature=fit,
        ece_held_out=_held_out_ece(raw.logits_NC, truth_N),
        rules=rules,
        label_scores=least,
        conformal=fit_conformal(
            raw.scores_NC, truth_N, method=options.conformal, per_label=options.per_label
        ),
        warnings=_warnings(fit, least),
    )


def _multi(
    classifier: Classifier, images: LabelledImages, options: CalibrationOptions
) -> Calibration:
    scores = classifier.classify(images.embeddings_ND, mode="multi")
    platt = fit_platt(scores.cosines_NC.astype(np.float64), images.holds_NC)
    missing = [
        label for label, good in zip(classifier.labels, platt.fitted, strict=True) if not good
    ]
    known_N = images.holds_NC.any(axis=1)
    warning = (
        f"no line could be fitted for {len(missing)} labels, which stay uncalibrated: "
        f"{', '.join(missing[:5])}; give images with and without them"
    )
    return Calibration(
        options=options,
        known=int(known_N.sum()),
        unknown=int((~known_N).sum()),
        platt=platt,
        warnings=(warning,) if missing else (),
    )


def _held_out_ece(logits_NC: NDArray[np.float64], truth_N: IdArray) -> float | None:
    """Return the calibration error where each half is scored with the other's temperature."""
    if len(truth_N) < LEAST_HELD_OUT:
        return None
    half_N = fold_of_examples(truth_N, folds=2)
    confidence_N = np.empty(len(truth_N))
    for half in (0, 1):
        fitted = fit_temperature(logits_NC[half_N != half], truth_N[half_N != half])
        scores_NC = softmax(logits_NC[half_N == half] / fitted.temperature)
        confidence_N[half_N == half] = scores_NC.max(axis=1)
    return expected_calibration_error(confidence_N, np.argmax(logits_NC, axis=1) == truth_N)


def _label_scores(
    classifier: Classifier, scores_NC: FloatArray, truth_N: IdArray, precision: float | None
) -> dict[str, float | None]:
    if precision is None:
        return {}
    thresholds = fit_label_scores(scores_NC, truth_N, precision=precision)
    named = dict(zip(classifier.labels, thresholds, strict=True))
    return {
        label: named[label]
        for n, label in enumerate(classifier.labels)
        if n not in classifier.background
    }


def _warnings(fit: TemperatureFit, least: Mapping[str, float | None]) -> tuple[str, ...]:
    found = []
    if fit.at_bound:
        found.append(
            f"the temperature ended at the bound {fit.temperature:g}: accuracy is {fit.accuracy:g} "
            f"on {fit.images} images, too few or too easy to fit it; give more"
        )
    unreached = [label for label, threshold in least.items() if threshold is None]
    if unreached:
        found.append(
            f"{len(unreached)} labels do not reach the target precision at any score, or were the "
            f"best label of no image, and are never given: {', '.join(unreached[:5])}"
        )
    return tuple(found)


def _check(classifier: Classifier, images: LabelledImages, options: CalibrationOptions) -> None:
    expected = (len(images.embeddings_ND), len(classifier.labels))
    if images.holds_NC.shape != expected:
        raise UsageError(f"labels have the shape {images.holds_NC.shape}, expected {expected}")
    if not images.holds_NC.any():
        raise UsageError("no image has one of the labels; give labelled images", param="labels")
    if not 0.0 < options.keep <= 1.0:
        raise UsageError(f"keep = {options.keep}: expected above 0 and at most 1", param="keep")
