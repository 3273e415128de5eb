"""Zero-shot labels for the images of one request.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import SightlineError
from core.timing import timed
from core.types import FloatArray, JSONObject, JSONValue
from service.engine import Engine
from service.errors import error_object
from service.image_sources import ImageSource, embed_sources
from service.label_choice import check_prompts, fitted_for, label_choice
from service.request_scope import Priority, work_as
from service.schemas import ClassifyRequest
from zeroshot.abstention import Abstain
from zeroshot.fitted_classifier import FittedClassifier
from zeroshot.labelling import Labelled, LabellingOptions, image_labels_object, label_images


def classify(engine: Engine, fields: ClassifyRequest, sources: Sequence[ImageSource]) -> JSONObject:
    """Return the answer of ``POST /v1/classify``, without the time it took.

    Raises:
        SightlineError: the labels cannot be used, or the only image is bad.
    """
    work_as(Priority.CLASSIFY)
    choice = label_choice(engine, fields)
    check_prompts(choice.labels, choice.templates, engine.settings)
    vectors = embed_sources(engine, sources, crops=fields.crops)
    if len(vectors) == 1 and isinstance(vectors[0], SightlineError):
        raise with_param(vectors[0], sources[0].param)
    with timed("build_classifier"):
        classifier = engine.classifiers.get(
            engine.encoder, choice.labels, choice.templates, ensemble=fields.ensemble
        )
        fitted = fitted_for(engine, choice, classifier, fields)
    with timed("classify"):
        labelled = _label(fitted, fields, vectors)
    return {
        "model": engine.encoder.encoder_id,
        "label_set": None if choice.stored is None else choice.stored.reference,
        "head": fitted.head_object(),
        "warnings": [*fitted.warnings, *labelled.warnings],
        "results": _results(labelled, vectors, sources),
    }


def with_param(error: SightlineError, param: str) -> SightlineError:
    """Return the error of an image with the place of that image in the request."""
    error.param = error.param or param
    return error


def _label(
    fitted: FittedClassifier,
    fields: ClassifyRequest,
    vectors: Sequence[FloatArray | SightlineError],
) -> Labelled:
    good = [vector_D for vector_D in vectors if not isinstance(vector_D, SightlineError)]
    dim = fitted.classifier.matrix_CD.shape[1]
    options = LabellingOptions(
        mode=fields.mode,
        top_k=fields.top_k,
        temperature=fields.temperature,
        abstain=_abstain(fields),
        alpha=fields.alpha,
    )
    images_ND = np.array(good, np.float32).reshape(-1, dim)
    return label_images(fitted.classifier, images_ND, options, calibration=fitted.calibration)


def _results(
    labelled: Labelled,
    vectors: Sequence[FloatArray | SightlineError],
    sources: Sequence[ImageSource],
) -> list[JSONValue]:
    answered = iter(labelled.images)
    return [
        {"status": "error", "error": error_object(vector, param=source.param)}
        if isinstance(vector, SightlineError)
        else image_labels_object(next(answered))
        for vector, source in zip(vectors, sources, strict=True)
    ]


def _abstain(fields: ClassifyRequest) -> Abstain | None:
    given = fields.abstain
    if given is None:
        return None
    return Abstain(
        min_score=given.min_score,
        min_margin=given.min_margin,
        min_cosine=given.min_cosine,
        max_energy=given.max_energy,
    )
