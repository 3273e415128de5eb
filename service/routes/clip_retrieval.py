"""clip-retrieval's wire: ``/knn-service``, ``/metadata``, ``/indices-list``, ``/config.json``.

Its clients send JSON without a JSON content type, so the type of a body is not asked for.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from core.types import JSONObject, JSONValue
from service.access import engine_of
from service.answers import FrontConfig, KnnHit, RowMetadata
from service.clip_retrieval import index_name, knn, metadata_of_rows
from service.openapi import json_body, reference, refusals, succeeds
from service.responses import json_response
from service.uploads import read_json
from service.wire_schemas import KnnRequest, RowsRequest

router = APIRouter(tags=["clip-retrieval"])

_KNN_EXAMPLE: JSONObject = {"id": 543, "similarity": 0.32, "caption": "a red car", "image": "/9j/"}
_ROW_EXAMPLE: JSONObject = {"id": 543, "metadata": {"caption": "a red car", "image": "/9j/"}}
_CONFIG_EXAMPLE: JSONObject = {
    "defaultBackend": "http://127.0.0.1:8000",
    "defaultIndex": "gallery",
    "urlColumn": "url",
}
_NAMES: JSONObject = {"type": "array", "items": {"type": "string"}}


def _list_of(model: type[KnnHit | RowMetadata], example: JSONValue) -> JSONObject:
    schema: JSONObject = {"type": "array", "items": reference(model)}
    return {"application/json": {"schema": schema, "example": [example]}}


@router.post(
    "/knn-service",
    summary="Search as clip-retrieval",
    openapi_extra=json_body(KnnRequest),
    responses={200: succeeds(_list_of(KnnHit, _KNN_EXAMPLE)), **refusals((404, 415, 422))},
)
async def post_knn_service(request: Request) -> Response:
    """Return the nearest items by text, image or vector; unused fields are null or empty."""
    engine = engine_of(request)
    fields = await read_json(request, KnnRequest)
    return json_response(await engine.workers.run(knn, engine, fields))


@router.post(
    "/metadata",
    summary="Metadata of rows, as clip-retrieval",
    openapi_extra=json_body(RowsRequest),
    responses={200: succeeds(_list_of(RowMetadata, _ROW_EXAMPLE)), **refusals((404, 415, 422))},
)
async def post_metadata(request: Request) -> Response:
    """Return caption, metadata and picture of the rows that exist."""
    engine = engine_of(request)
    fields = await read_json(request, RowsRequest)
    return json_response(await engine.workers.run(metadata_of_rows, engine, fields))


@router.get(
    "/indices-list",
    summary="Names of the indexes, as clip-retrieval",
    responses={
        200: succeeds({"application/json": {"schema": _NAMES, "example": ["gallery"]}}),
        **refusals(()),
    },
)
async def get_indices_list(request: Request) -> Response:
    """Return the one name: that of the gallery's folder."""
    return json_response([index_name(engine_of(request))])


@router.get(
    "/config.json",
    summary="Configuration of clip-retrieval's front end",
    responses={
        200: succeeds(
            {"application/json": {"schema": reference(FrontConfig), "example": _CONFIG_EXAMPLE}}
        ),
        **refusals(()),
    },
)
async def get_config(request: Request) -> Response:
    """Return where the front end finds this service."""
    return json_response(
        {
            "defaultBackend": str(request.base_url).rstrip("/"),
            "defaultIndex": index_name(engine_of(request)),
            "urlColumn": "url",
        }
    )


@router.get(
    "/metrics-summary",
    summary="Mean time of each stage, as clip-retrieval",
    response_class=PlainTextResponse,
    responses={200: succeeds({"text/plain": {"schema": {"type": "string"}}}), **refusals(())},
)
async def get_metrics_summary(request: Request) -> Response:
    """Return calls and mean time of each stage as lines of text; ``/metrics`` has it all."""
    return PlainTextResponse(request.app.state.metrics.summary())
