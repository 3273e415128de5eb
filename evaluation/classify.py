"""Evaluation of zero-shot labels on images whose class is known; no model is needed.

What is fitted (a temperature, thresholds of prediction sets, a choice of templates) is fitted on
other pairs than the ones that are scored.

# N = images scored, C = classes
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from core.errors import UsageError
from core.types import JSONObject
from evaluation.classify_report import classify_report
from evaluation.conformal_report import conformal_json
from evaluation.data_facts import data_facts
from evaluation.embeddings import Embeddings
from evaluation.estimates import Statistics
from evaluation.overlap import refuse_shared_images
from evaluation.predictions import Predictions, predict, truths_of
from evaluation.prompts import Prompts
from evaluation.provenance import Provenance
from evaluation.report import Report
from evaluation.template_gain import template_gain
from evaluation.unknown_images import separation_json
from zeroshot.temperature import TemperatureFit, fit_temperature


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """What to measure."""

    group_by: str | None = None
    """Metadata field: metrics for each of its values too."""
    ablate_templates: bool = False
    """Score each template alone, and all but it."""
    conformal: float | None = None
    """Share of images whose prediction set may miss the truth; needs calibration pairs."""
    statistics: Statistics = field(default_factory=Statistics)


def evaluate_classify(
    embeddings: Embeddings,
    options: ClassifyOptions | None = None,
    *,
    prompts: Prompts | None = None,
    calibration: Embeddings | None = None,
    unknown: Embeddings | None = None,
) -> Report:
    """Label every image and compare with the truth.

    Args:
        embeddings: of the images to score.
        options: what to measure.
        prompts: labels and templates, by default the ones that were embedded with the images.
        calibration: other labelled pairs: the temperature is fitted on them, templates chosen.
        unknown: images of none of the classes: how well scores tell them from the others.

    Raises:
        PairsError: no pair has a label that is among the classes and an image that was decoded.
        UsageError: no prompts, or pairs that are fitted on and scored.
    """
    options = options or ClassifyOptions()
    prompts = prompts or required_prompts(embeddings)
    if options.conformal is not None and calibration is None:
        raise UsageError(
            "prediction sets need labelled pairs of their own: give them with --calibrate",
            param="conformal",
        )
    predictions = predict(embeddings, prompts)
    fit: TemperatureFit | None = None
    details: JSONObject = {}
    if calibration is not None:
        refuse_shared_images(embeddings, calibration, what="--calibrate")
        fit, details = _calibrated(predictions, predict(calibration, prompts), options)
    if options.ablate_templates:
        details |= template_gain(embeddings, prompts, calibration)
    if unknown is not None:
        details["unknown"] = separation_json(predictions, unknown, prompts)
    truths = truths_of(embeddings.pairs, prompts.texts)
    facts = data_facts(
        embeddings.pairs, failed=embeddings.images.failed, skipped=embeddings.skipped
    )
    return classify_report(
        predictions,
        options.statistics,
        group_by=options.group_by,
        temperature=None if fit is None else fit.temperature,
        details={**details, "templates": list(prompts.templates.templates)},
        facts={**facts, **truths.facts()},
        provenance=embeddings.provenance,
        label_digest=prompts.label_digest,
        template_digest=prompts.templates.digest,
        settings={
            "template_set": prompts.templates.name,
            "group_by": options.group_by,
            "conformal": options.conformal,
            "calibrated": fit is not None,
        },
    )


def evaluate_predictions(
    predictions: Predictions,
    options: ClassifyOptions | None = None,
    *,
    facts: JSONObject,
    provenance: Provenance,
    label_digest: str,
    template_digest: str | None,
    settings: JSONObject,
    details: JSONObject | None = None,
) -> Report:
    """Return the report of labels that somebody else gave, for example the running service."""
    options = options or ClassifyOptions()
    return classify_report(
        predictions,
        options.statistics,
        group_by=options.group_by,
        details=details or {},
        facts=facts,
        provenance=provenance,
        label_digest=label_digest,
        template_digest=template_digest,
        settings=settings,
    )


def required_prompts(embeddings: Embeddings) -> Prompts:
    """Return the prompts that were embedded with the images.

    Raises:
        UsageError: there are none.
    """
    if embeddings.prompts is None:
        raise UsageError(
            "the embeddings hold no labels: embed them with labels (sightline evaluate embed "
            "--labels cat,dog, or pairs that have labels)"
        )
    return embeddings.prompts


def _calibrated(
    predictions: Predictions, fitted_on: Predictions, options: ClassifyOptions
) -> tuple[TemperatureFit, JSONObject]:
    """Return the fitted temperature, and what the report says of everything that was fitted."""
    half = _halves(fitted_on, options)[0]
    fit = fit_temperature(half.logits_NC, half.truth_N)
    details: JSONObject = {"calibration": dataclasses.asdict(fit)}
    if options.conformal is not None:
        details["conformal"] = _conformal(predictions, fitted_on, fit, options)
    return fit, details


def _halves(calibration: Predictions, options: ClassifyOptions) -> tuple[Predictions, Predictions]:
    """Return what the temperature is fitted on and what thresholds are: not the same images.

    Without prediction sets the temperature has all of them.
    """
    if options.conformal is None:
        return calibration, calibration
    order_N = np.random.default_rng(options.statistics.seed).permutation(len(calibration.pairs))
    middle = len(order_N) // 2
    if not middle:
        raise UsageError("prediction sets need 2 or more calibration images", param="conformal")
    return calibration.rows(np.sort(order_N[:middle])), calibration.rows(np.sort(order_N[middle:]))


def _conformal(
    predictions: Predictions, fitted_on: Predictions, fit: TemperatureFit, options: ClassifyOptions
) -> JSONObject:
    assert options.conformal is not None
    held_out = _halves(fitted_on, options)[1]
    return conformal_json(
        predictions.at_temperature(fit.temperature),
        held_out.at_temperature(fit.temperature),
        alpha=options.conformal,
    )
