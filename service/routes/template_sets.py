"""``/v1/template-sets``: the prompt templates that the service knows by name."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.types import JSONObject, JSONValue
from service.label_answers import TemplateSetsAnswer
from service.openapi import answers
from service.responses import json_response
from zeroshot.template_descriptions import TEMPLATE_DESCRIPTIONS
from zeroshot.templates import DEFAULT_TEMPLATE_SET, template_set, template_set_names

router = APIRouter(tags=["labels"])

_EXAMPLE: JSONObject = {
    "default": "imagenet7",
    "template_sets": [
        {
            "name": "food101",
            "description": "food",
            "number": 1,
            "templates": ["a photo of {}, a type of food."],
        }
    ],
}


@router.get(
    "/v1/template-sets",
    summary="List template sets",
    responses=answers(_EXAMPLE, model=TemplateSetsAnswer),
)
async def get_template_sets(request: Request) -> Response:  # noqa: ARG001 - direct routes take it
    """Return every built-in set of prompt templates, and which one is used where none is named."""
    sets: list[JSONValue] = [_template_set_object(name) for name in template_set_names()]
    return json_response({"default": DEFAULT_TEMPLATE_SET, "template_sets": sets})


def _template_set_object(name: str) -> JSONObject:
    templates = template_set(name).templates
    return {
        "name": name,
        "description": TEMPLATE_DESCRIPTIONS[name],
        "number": len(templates),
        "templates": list(templates),
    }
