"""Operations: liveness, readiness, metrics, the gallery's state."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from core.errors import NotReadyError
from core.types import JSONObject
from service.access import engine_of
from service.answers import AliveAnswer, GalleryAnswer, ReadyAnswer
from service.metrics import CONTENT_TYPE
from service.openapi import answers, refusals, succeeds
from service.responses import json_response

router = APIRouter(tags=["operations"])

CANARY_TIMEOUT_S = 5.0
"""A model that takes longer for one short text is stuck."""

_READY: JSONObject = {"status": "ready", "model": "0123456789abcdef", "took_ms": 2.4}
_GALLERY: JSONObject = {
    "count": 300,
    "dimension": 512,
    "encoder_id": "0123456789abcdef",
    "model": "starter",
    "index": "flat",
    "coverage": 1.0,
    "fields": ["price"],
    "wires": ["clip-retrieval", "immich"],
    "read_only": False,
    "limits": {
        "images": 64,
        "body_bytes": 64 * 2**20,
        "image_bytes": 20 * 2**20,
        "image_pixels": 40_000_000,
        "formats": ["JPEG", "PNG", "WEBP", "GIF", "BMP"],
    },
}


@router.get(
    "/healthz",
    summary="Is the process alive?",
    responses=answers({"status": "ok"}, model=AliveAnswer),
)
async def get_healthz() -> Response:
    """Answer as long as the event loop turns; restart the process when this fails."""
    return json_response({"status": "ok"})


@router.get(
    "/readyz",
    summary="Can it answer requests?",
    responses=answers(_READY, model=ReadyAnswer),
)
async def get_readyz(request: Request) -> Response:
    """Send a text through the model and its vector through the index."""
    engine = engine_of(request)
    try:
        async with asyncio.timeout(CANARY_TIMEOUT_S):
            return json_response(await engine.canary_workers.run(engine.canary))
    except TimeoutError as error:
        raise NotReadyError(
            f"degraded: model and index did not answer within {CANARY_TIMEOUT_S:g} s"
        ) from error


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=PlainTextResponse,
    responses={
        200: succeeds({"text/plain": {"schema": {"type": "string"}}}),
        **refusals(()),
    },
)
async def get_metrics(request: Request) -> Response:
    """Return every counter and histogram in the text format of Prometheus."""
    body = await asyncio.to_thread(request.app.state.metrics.render)
    return Response(body, headers={"content-type": CONTENT_TYPE})


@router.get(
    "/v1/gallery",
    summary="The gallery",
    responses=answers(_GALLERY, model=GalleryAnswer),
)
async def get_gallery(request: Request) -> Response:
    """Return how many items there are and what searches them."""
    engine = engine_of(request)
    return json_response(await engine.workers.run(engine.gallery_object))
