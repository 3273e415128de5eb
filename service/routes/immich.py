"""immich's wire: ``POST /predict`` and ``GET /ping``; point its machine learning URL here."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from core.errors import UsageError
from core.types import JSONObject
from service.access import engine_of
from service.answers import ImmichEmbedding
from service.immich import parse_entries, predict
from service.openapi import answers, refusals, succeeds
from service.responses import json_response
from service.uploads import read_parts

router = APIRouter(tags=["immich"])

_EXAMPLE: JSONObject = {"clip": "[0.0123,-0.0456]", "imageHeight": 480, "imageWidth": 640}
_ENTRIES = '{"clip":{"textual":{"modelName":"ViT-B-32__openai","options":{"language":"en"}}}}'
_BODY: JSONObject = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["entries"],
                    "properties": {
                        "entries": {
                            "type": "string",
                            "description": "JSON: task, kind, name of the model",
                            "example": _ENTRIES,
                        },
                        "text": {"type": "string", "description": "for the kind textual"},
                        "image": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


@router.post(
    "/predict",
    summary="Embed as immich's machine learning",
    openapi_extra=_BODY,
    responses=answers(_EXAMPLE, errors=(404, 415, 422), model=ImmichEmbedding),
)
async def post_predict(request: Request) -> Response:
    """Return the vector of an image or a text as the text of a JSON array."""
    engine = engine_of(request)
    parts = await read_parts(request, limit_bytes=engine.settings.max_image_bytes)
    entries, text, image = (parts.get(name) for name in ("entries", "text", "image"))
    if not isinstance(entries, str):
        raise UsageError("the form has no field 'entries'", param="entries")
    found = await engine.workers.run(
        predict,
        engine,
        parse_entries(entries),
        image=image if isinstance(image, bytes) else None,
        text=text if isinstance(text, str) else None,
    )
    return json_response(found)


@router.get(
    "/ping",
    summary="Is the process alive? As immich's machine learning",
    response_class=PlainTextResponse,
    responses={
        200: succeeds({"text/plain": {"schema": {"type": "string"}, "example": "pong"}}),
        **refusals(()),
    },
)
async def get_ping() -> Response:
    """Answer ``pong``."""
    return PlainTextResponse("pong")
