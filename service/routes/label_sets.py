"""``/v1/label-sets``: named, versioned lists of labels with their prompts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from core.types import JSONObject
from service.access import engine_of, writable_engine_of
from service.engine import Engine
from service.image_sources import image_sources
from service.label_answers import (
    CalibrateAnswer,
    ExamplesAnswer,
    FitsAnswer,
    LabelSetAnswer,
    LabelSetsAnswer,
    SavedLabelSetAnswer,
)
from service.label_choice import check_prompts, chosen_templates
from service.label_fits import label_set_fits
from service.label_fitting import learn_calibration, learn_examples
from service.label_schemas import CalibrateRequest, ExamplesRequest, LabelEntry, LabelSetRequest
from service.openapi import answers, json_body
from service.responses import json_response
from service.uploads import read_upload
from zeroshot.label_sets import label_set_object
from zeroshot.labels import Label, check_label_list
from zeroshot.prompts import prompt_warnings

router = APIRouter(tags=["labels"])

_EXAMPLE: JSONObject = {
    "name": "pets",
    "version": 1,
    "labels": ["cat", "dog"],
    "template_set": "imagenet7",
    "templates": ["a photo of a {}."],
    "digest": "5f1d...",
    "details": {"cat": {"aliases": ["kitten"], "prompts": [], "background": False}},
    "language": None,
}
_LEARNED: JSONObject = {
    "label_set": "pets@1",
    "model": "0123456789abcdef",
    "results": [{"status": "ok"}, {"status": "ok"}],
}
_HEAD: JSONObject = {
    "number": 1,
    "kind": "class_means",
    "labels": 2,
    "parameters": {"weight": 0.5},
    "examples": 20,
    "shots": [10, 10],
    "validation": "5-fold",
    "validation_images": 20,
    "accuracy": 0.95,
    "accuracy_text": 0.85,
    "gain": 0.1,
    "gain_interval": [0.0, 0.25],
    "better": 2,
    "worse": 0,
    "accuracies": {"text": 0.85, "class_means": 0.95, "tip_adapter": 0.95},
    "skipped": {"logistic": "scikit-learn is missing: pip install 'sightline[evaluation]'"},
    "counts": {"cat": 10, "dog": 10},
}
_BIN: JSONObject = {"low": 0.9, "high": 1.0, "images": 60, "confidence": 0.97, "accuracy": 0.95}
_CALIBRATION: JSONObject = {
    "number": 1,
    "options": {
        "mode": "single",
        "keep": 0.95,
        "target_precision": None,
        "conformal": "lac",
        "per_label": False,
    },
    "images": 100,
    "unknown_images": 40,
    "temperature": {
        "temperature": 1.7,
        "images": 100,
        "nll_before": 0.41,
        "nll_after": 0.33,
        "ece_before": 0.09,
        "ece_after": 0.03,
        "accuracy": 0.9,
        "at_bound": False,
    },
    "ece_held_out": 0.04,
    "lines": None,
    "rules": [{"name": "min_cosine", "threshold": 0.21, "auroc": 0.93, "false_positive_rate": 0.3}],
    "label_scores": {},
    "conformal_images": 100,
    "warnings": [],
    "counts": {"cat": 50, "dog": 50},
    "in_force": True,
    "effect": {
        "accuracy": 0.9,
        "before": {"ece": 0.09, "bins": [_BIN]},
        "after": {"ece": 0.03, "bins": [_BIN]},
        "labelled": 0.95,
        "accuracy_of_labelled": 0.94,
        "unknown_labelled": 0.3,
    },
}
_FITS: JSONObject = {
    "label_set": "pets@1",
    "versions": [1],
    "model": "0123456789abcdef",
    "head": _HEAD,
    "calibrations": {"single": _CALIBRATION, "multi": None},
    "warnings": [],
}
_FIT_ERRORS = (404, 409, 415, 422, 507)


@router.post(
    "/v1/label-sets",
    summary="Save a label set",
    openapi_extra=json_body(LabelSetRequest),
    responses=answers(
        {**_EXAMPLE, "warnings": []}, errors=(415, 422, 507), model=SavedLabelSetAnswer
    ),
)
async def post_label_set(request: Request) -> Response:
    """Save labels and prompts; what is saved never changes, saving again makes a new version."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, LabelSetRequest, engine.settings)
    return json_response(await engine.workers.run(_save, engine, upload.fields))


@router.get(
    "/v1/label-sets",
    summary="List label sets",
    responses=answers({"label_sets": [_EXAMPLE]}, model=LabelSetsAnswer),
)
async def get_label_sets(request: Request) -> Response:
    """Return the newest version of every label set."""
    engine = engine_of(request)
    found = await engine.workers.run(engine.label_sets.list)
    return json_response({"label_sets": [label_set_object(item) for item in found]})


@router.get(
    "/v1/label-sets/{name}",
    summary="One label set",
    responses=answers(_EXAMPLE, errors=(404,), model=LabelSetAnswer),
)
async def get_label_set(request: Request, name: str) -> Response:
    """Return a label set by ``name`` (its newest version) or ``name@version``."""
    engine = engine_of(request)
    found = await engine.workers.run(engine.label_sets.get, name)
    return json_response(label_set_object(found))


@router.get(
    "/v1/label-sets/{name}/fits",
    summary="What a label set learned",
    responses=answers(_FITS, errors=(404, 409), model=FitsAnswer),
)
async def get_fits(
    request: Request,
    name: str,
    *,
    effect: Annotated[
        bool, Query(description="also what each calibration changed on its own images")
    ] = False,
) -> Response:
    """Return the head and the calibrations in force for the model that is served."""
    engine = engine_of(request)
    return json_response(await engine.workers.run(label_set_fits, engine, name, effect=effect))


@router.post(
    "/v1/label-sets/{name}/examples",
    summary="Learn from images with labels",
    openapi_extra=json_body(ExamplesRequest, form=ExamplesRequest),
    responses=answers({**_LEARNED, "head": _HEAD}, errors=_FIT_ERRORS, model=ExamplesAnswer),
)
async def post_examples(request: Request, name: str) -> Response:
    """Fit a head on the examples so far and these; it serves where it labels more rightly."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, ExamplesRequest, engine.settings)
    sources = image_sources(upload.fields, upload.images)
    answer = await engine.workers.run(learn_examples, engine, name, upload.fields, sources)
    return json_response(answer)


@router.post(
    "/v1/label-sets/{name}/calibrate",
    summary="Calibrate on images with labels",
    openapi_extra=json_body(CalibrateRequest, form=CalibrateRequest),
    responses=answers(
        {**_LEARNED, "head": 1, "calibration": _CALIBRATION},
        errors=_FIT_ERRORS,
        model=CalibrateAnswer,
    ),
)
async def post_calibrate(request: Request, name: str) -> Response:
    """Fit temperature, thresholds and prediction sets on the images so far and these."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, CalibrateRequest, engine.settings)
    sources = image_sources(upload.fields, upload.images)
    answer = await engine.workers.run(learn_calibration, engine, name, upload.fields, sources)
    return json_response(answer)


def _save(engine: Engine, fields: LabelSetRequest) -> JSONObject:
    templates = chosen_templates(fields.templates, fields.template_set)
    if fields.concept is not None:
        templates = templates.with_concept(fields.concept)
    labels = check_label_list([_label(item) for item in fields.labels])
    check_prompts(labels, templates, engine.settings)
    saved = engine.label_sets.save(fields.name, labels, templates, language=fields.language)
    warnings = prompt_warnings(engine.encoder, saved.details, saved.templates)
    return {**label_set_object(saved), "warnings": list(warnings)}


def _label(item: str | LabelEntry) -> Label:
    if isinstance(item, str):
        return Label(item)
    return Label(item.text, tuple(item.aliases), tuple(item.prompts), item.background)
