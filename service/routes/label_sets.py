"""``/v1/label-sets``: named, versioned lists of labels with their prompts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.types import JSONObject
from service.access import engine_of, writable_engine_of
from service.classification import check_prompts, chosen_templates
from service.engine import Engine
from service.openapi import answers, json_body
from service.responses import json_response
from service.schemas import LabelSetRequest
from service.uploads import read_upload
from zeroshot.label_sets import LabelSet

router = APIRouter(tags=["labels"])

_EXAMPLE: JSONObject = {
    "name": "pets",
    "version": 1,
    "labels": ["cat", "dog"],
    "template_set": "imagenet7",
    "templates": ["a photo of a {}."],
    "digest": "5f1d...",
}


@router.post(
    "/v1/label-sets",
    summary="Save a label set",
    openapi_extra=json_body(LabelSetRequest),
    responses=answers(_EXAMPLE, errors=(400, 403, 413, 415, 422, 429, 503, 504, 507)),
)
async def post_label_set(request: Request) -> Response:
    """Save labels and prompts; what is saved never changes, saving again makes a new version."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, LabelSetRequest, engine.settings)
    return json_response(await engine.workers.run(_save, engine, upload.fields))


@router.get(
    "/v1/label-sets", summary="List label sets", responses=answers({"label_sets": [_EXAMPLE]})
)
async def get_label_sets(request: Request) -> Response:
    """Return the newest version of every label set."""
    engine = engine_of(request)
    found = await engine.workers.run(engine.label_sets.list)
    return json_response({"label_sets": [_label_set_object(item) for item in found]})


@router.get(
    "/v1/label-sets/{name}",
    summary="One label set",
    responses=answers(_EXAMPLE, errors=(400, 404)),
)
async def get_label_set(request: Request, name: str) -> Response:
    """Return a label set by ``name`` (its newest version) or ``name@version``."""
    engine = engine_of(request)
    found = await engine.workers.run(engine.label_sets.get, name)
    return json_response(_label_set_object(found))


def _save(engine: Engine, fields: LabelSetRequest) -> JSONObject:
    templates = chosen_templates(fields.templates, fields.template_set)
    check_prompts(fields.labels, templates, engine.settings)
    return _label_set_object(engine.label_sets.save(fields.name, fields.labels, templates))


def _label_set_object(item: LabelSet) -> JSONObject:
    return {
        "name": item.name,
        "version": item.version,
        "labels": list(item.labels),
        "template_set": item.templates.name,
        "templates": list(item.templates.templates),
        "digest": item.digest,
    }
