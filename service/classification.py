"""Zero-shot labels for the images of one request.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import SightlineError, UsageError
from core.types import FloatArray, JSONObject, JSONValue
from service.access import check_count
from service.engine import Engine
from service.errors import error_object
from service.image_sources import ImageSource, embed_sources
from service.schemas import ClassifyRequest
from service.settings import Settings
from zeroshot.abstention import Abstain
from zeroshot.classifier import Classifier
from zeroshot.scores import Scores
from zeroshot.templates import (
    DEFAULT_TEMPLATE_SET,
    TemplateSet,
    check_templates,
    template_set,
)

_DIGITS = 6


def classify(engine: Engine, fields: ClassifyRequest, sources: Sequence[ImageSource]) -> JSONObject:
    """Return the answer of ``POST /v1/classify``, without the time it took.

    Raises:
        SightlineError: the labels cannot be used, or the only image is bad.
    """
    labels, templates, label_set = _labels_and_templates(engine, fields)
    check_prompts(labels, templates, engine.settings)
    vectors = embed_sources(engine, sources)
    if len(vectors) == 1 and isinstance(vectors[0], SightlineError):
        raise _with_param(vectors[0], sources[0].param)
    with engine.metrics.timed("build_classifier"):
        classifier = engine.classifiers.get(engine.encoder, labels, templates)
    with engine.metrics.timed("classify"):
        results = _results(classifier, fields, vectors, sources)
    return {"model": engine.encoder.encoder_id, "label_set": label_set, "results": results}


def check_prompts(labels: Sequence[str], templates: TemplateSet, settings: Settings) -> None:
    """Refuse a classifier that would take too many texts to build.

    Raises:
        UsageError: out of range (422).
    """
    check_count(
        len(labels) * len(templates.templates),
        limit=settings.max_prompts,
        what="prompts (labels times templates)",
        param="labels",
    )


def chosen_templates(templates: list[str] | None, name: str | None) -> TemplateSet:
    """Return the template set that a request asks for.

    Raises:
        UsageError: both ways at once, an unknown name, or a template without its one ``{}``.
    """
    if templates is not None and name is not None:
        raise UsageError(
            "both templates and template_set are given; send one of them", param="templates"
        )
    if templates is not None:
        return check_templates(templates)
    return template_set(name or DEFAULT_TEMPLATE_SET)


def _labels_and_templates(
    engine: Engine, fields: ClassifyRequest
) -> tuple[Sequence[str], TemplateSet, str | None]:
    if (fields.labels is None) == (fields.label_set is None):
        raise UsageError(
            "send exactly one of labels (a list of texts) and label_set (its name)",
            param="labels",
        )
    own = fields.templates is not None or fields.template_set is not None
    if fields.labels is not None:
        return fields.labels, chosen_templates(fields.templates, fields.template_set), None
    stored = engine.label_sets.get(fields.label_set or "")
    templates = chosen_templates(fields.templates, fields.template_set) if own else stored.templates
    return stored.labels, templates, f"{stored.name}@{stored.version}"


def _results(
    classifier: Classifier,
    fields: ClassifyRequest,
    vectors: Sequence[FloatArray | SightlineError],
    sources: Sequence[ImageSource],
) -> list[JSONValue]:
    good = [vector_D for vector_D in vectors if not isinstance(vector_D, SightlineError)]
    entries: list[JSONObject] = []
    if good:
        scores = classifier.classify(
            np.stack(good), mode=fields.mode, temperature=fields.temperature
        )
        entries = [_entry(scores, image, fields) for image in range(len(good))]
    answered = iter(entries)
    return [
        {"status": "error", "error": error_object(vector, param=source.param)}
        if isinstance(vector, SightlineError)
        else next(answered)
        for vector, source in zip(vectors, sources, strict=True)
    ]


def _entry(scores: Scores, image: int, fields: ClassifyRequest) -> JSONObject:
    best = scores.top(image, fields.top_k)
    reason = _abstain(fields).reason(scores, image)
    ranked: list[JSONValue] = [
        {
            "label": item.label,
            "score": round(item.score, _DIGITS),
            "cosine": round(item.cosine, _DIGITS),
        }
        for item in best
    ]
    return {
        "status": "ok",
        "label": None if reason else best[0].label,
        "abstained": reason is not None,
        "reason": reason,
        "labels": ranked,
        "calibrated": False,
    }


def _abstain(fields: ClassifyRequest) -> Abstain:
    given = fields.abstain
    if given is None:
        return Abstain()
    return Abstain(
        min_score=given.min_score, min_margin=given.min_margin, min_cosine=given.min_cosine
    )


def _with_param(error: SightlineError, param: str) -> SightlineError:
    error.param = error.param or param
    return error
