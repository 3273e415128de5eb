"""``/v1/search``: ranked retrieval by words, images, items and vectors."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from core.types import JSONObject
from service.access import engine_of
from service.answers import SearchAnswer
from service.openapi import answers, json_body
from service.responses import json_response
from service.schemas import SearchRequest
from service.searching import search
from service.uploads import parse_json, read_upload

router = APIRouter(tags=["search"])

_EXAMPLE: JSONObject = {
    "model": "0123456789abcdef",
    "plan": "exact",
    "took_ms": 3.1,
    "cursor": None,
    "hits": [
        {
            "id": "a17",
            "score": 0.3121,
            "confidence": None,
            "caption": "a red car",
            "metadata": {"source": "shop"},
            "digest": "9f86d081...",
            "image_url": "/v1/items/a17/image",
            "thumbnail_url": "/v1/items/a17/thumbnail",
            "thumbnail_width": 320,
            "thumbnail_height": 240,
            "terms": None,
            "ranks": None,
        }
    ],
}
_ERRORS = (404, 415, 422, 502)


@router.get(
    "/v1/search",
    summary="Search by words",
    responses=answers(_EXAMPLE, errors=(404, 422), model=SearchAnswer),
)
async def get_search(
    request: Request,
    *,
    q: Annotated[str, Query(description="`a red car -toy 2:vintage +id:a17`")] = "",
    k: Annotated[int, Query(ge=1, description="number of hits")] = 10,
    cursor: Annotated[str | None, Query(description="of the last answer, to go on")] = None,
    filter: Annotated[str | None, Query(description="JSON object")] = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    mode: Literal["vector", "keyword", "hybrid"] = "vector",
    explain: bool = False,
) -> Response:
    """Search by a query in words, all in the address: for browsers and curl."""
    given = {
        "query": q,
        "k": k,
        "cursor": cursor,
        "filter": None if filter is None else parse_json(filter, param="filter"),
        "min_confidence": min_confidence,
        "mode": mode,
        "explain": explain,
    }
    return await _answer(request, SearchRequest.model_validate(given), [], time.monotonic())


@router.post(
    "/v1/search",
    summary="Search by words, images, items or vectors",
    openapi_extra=json_body(SearchRequest, form=SearchRequest),
    responses=answers(_EXAMPLE, errors=_ERRORS, model=SearchAnswer),
)
async def post_search(request: Request) -> Response:
    """Search by a query in words, by weighted terms, or by an uploaded image."""
    started = time.monotonic()
    upload = await read_upload(request, SearchRequest, engine_of(request).settings)
    return await _answer(request, upload.fields, upload.images, started)


async def _answer(
    request: Request, fields: SearchRequest, files: list[bytes], started: float
) -> Response:
    engine = engine_of(request)
    answer = await engine.workers.run(search, engine, fields, files)
    took_ms = round((time.monotonic() - started) * 1000, 3)
    return json_response({**answer, "took_ms": took_ms})
