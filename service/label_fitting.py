"""Learning from the labelled images of a request: examples of a head, images to calibrate on.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import LabelSetError, SightlineError, UsageError
from core.types import FloatArray, IdArray, JSONObject, JSONValue
from service.classification import with_param
from service.engine import Engine
from service.errors import error_object
from service.image_sources import ImageSource, embed_sources
from service.label_fits import compiled
from service.label_schemas import CalibrateRequest, ExamplesRequest
from zeroshot.calibration import CalibrationOptions, LabelledImages
from zeroshot.few_shot import Examples
from zeroshot.fitted_answers import fitted_calibration, fitted_head
from zeroshot.fitting import add_calibration, add_examples
from zeroshot.label_sets import LabelSet
from zeroshot.texts import tidy


def learn_examples(
    engine: Engine, name: str, fields: ExamplesRequest, sources: Sequence[ImageSource]
) -> JSONObject:
    """Return the answer of ``POST /v1/label-sets/{name}/examples``.

    Raises:
        SightlineError: unknown label set or labels, the only image is bad, or no head can be
            fitted.
    """
    label_set, classifier = compiled(engine, name)
    _check_lengths(fields.labels, sources)
    labels_N = _columns(label_set, fields.labels)
    images = _embedded(engine, sources)
    stored = add_examples(
        engine.fitted,
        label_set,
        classifier,
        Examples(images.embeddings_ND, labels_N[images.places]),
        kind=fields.head,
        replace=fields.replace,
    )
    return {
        "label_set": label_set.reference,
        "model": engine.encoder.encoder_id,
        "head": fitted_head(label_set, stored),
        "results": images.results,
    }


def learn_calibration(
    engine: Engine, name: str, fields: CalibrateRequest, sources: Sequence[ImageSource]
) -> JSONObject:
    """Return the answer of ``POST /v1/label-sets/{name}/calibrate``.

    Raises:
        SightlineError: unknown label set or labels, the only image is bad, or nothing can be
            fitted.
    """
    label_set, classifier = compiled(engine, name)
    _check_lengths(fields.labels, sources)
    holds_NC = np.zeros((len(sources), len(label_set.details)), np.bool_)
    for row, given in enumerate(fields.labels):
        names = [given] if isinstance(given, str) else given or []
        holds_NC[row, _columns(label_set, names)] = True
    images = _embedded(engine, sources)
    stored = add_calibration(
        engine.fitted,
        label_set,
        classifier,
        LabelledImages(images.embeddings_ND, holds_NC[images.places]),
        options=CalibrationOptions(
            mode=fields.mode,
            keep=fields.keep,
            target_precision=fields.target_precision,
            conformal=fields.conformal,
            per_label=fields.per_label,
        ),
        replace=fields.replace,
    )
    head = engine.fitted.own_head(label_set, engine.encoder.encoder_id)
    return {
        "label_set": label_set.reference,
        "model": engine.encoder.encoder_id,
        "head": stored.head,
        "calibration": fitted_calibration(label_set, stored, head, classifier=classifier),
        "results": images.results,
    }


@dataclass(frozen=True, slots=True)
class _Embedded:
    """The good images of a request."""

    places: list[int]
    """Which of the images."""
    embeddings_ND: FloatArray
    results: list[JSONValue]
    """An entry for every image."""


def _embedded(engine: Engine, sources: Sequence[ImageSource]) -> _Embedded:
    """Embed the images; bad ones among several become entries."""
    vectors = embed_sources(engine, sources)
    places, good, results = [], [], list[JSONValue]()
    for place, (vector, source) in enumerate(zip(vectors, sources, strict=True)):
        if isinstance(vector, SightlineError):
            if len(sources) == 1:
                raise with_param(vector, source.param)
            results.append({"status": "error", "error": error_object(vector, param=source.param)})
            continue
        places.append(place)
        good.append(vector)
        results.append({"status": "ok"})
    embeddings_ND = np.array(good, np.float32).reshape(-1, engine.encoder.dim)
    return _Embedded(places, embeddings_ND, results)


def _check_lengths(labels: Sequence[object], sources: Sequence[ImageSource]) -> None:
    if len(labels) != len(sources):
        raise UsageError(
            f"{len(labels)} labels for {len(sources)} images; give one for each image, in order",
            param="labels",
        )


def _columns(label_set: LabelSet, names: Sequence[str]) -> IdArray:
    """Return the place of each label, found by its text or one of its aliases."""
    known = {
        name.casefold(): place
        for place, label in enumerate(label_set.details)
        for name in (label.text, *label.aliases)
    }
    missing = [name for name in names if tidy(name).casefold() not in known]
    if missing:
        raise LabelSetError(
            f"{missing[0]!r} is no label of {label_set.reference}; save a version with it first",
            param="labels",
        )
    return np.array([known[tidy(name).casefold()] for name in names], np.int64)
