"""``/v1/fields``: the metadata fields, their values, and which of them filters look up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from core.types import JSONObject
from index.field_values import MOST_VALUES, field_values
from index.fields import DropField, IndexField, field_uses
from service.access import engine_of, writable_engine_of
from service.answers import FieldsAnswer, FieldStatus, FieldValuesAnswer
from service.engine import Engine
from service.middleware import restore_slashes
from service.openapi import answers, json_body
from service.responses import json_response
from service.schemas import FieldRequest
from service.uploads import read_upload

router = APIRouter(tags=["operations"])

_FIELDS: JSONObject = {"fields": [{"name": "price", "items": 300, "indexed": True}]}
_VALUES: JSONObject = {"name": "label", "values": [{"value": "cat", "items": 12}], "more": False}
_CREATED: JSONObject = {"name": "price", "status": "created"}
_DROPPED: JSONObject = {"name": "price", "status": "dropped"}


@router.get("/v1/fields", summary="Metadata fields", responses=answers(_FIELDS, model=FieldsAnswer))
async def get_fields(request: Request) -> Response:
    """Return the metadata fields, how many items have them, and which are indexed."""
    engine = engine_of(request)
    return json_response(await engine.workers.run(_list, engine))


@router.get(
    "/v1/fields/{name}/values",
    summary="Values of a metadata field",
    responses=answers(_VALUES, errors=(422,), model=FieldValuesAnswer),
)
async def get_field_values(
    request: Request,
    name: str,
    limit: Annotated[int, Query(ge=1, le=MOST_VALUES, description="values of the answer")] = 50,
) -> Response:
    """Return the values of a field with how many items have each, the most frequent first."""
    engine = engine_of(request)
    found = await engine.workers.run(_list_values, engine, restore_slashes(name), limit=limit)
    return json_response(found)


@router.post(
    "/v1/fields",
    summary="Index a metadata field",
    openapi_extra=json_body(FieldRequest),
    responses=answers(_CREATED, errors=(415, 422, 507), model=FieldStatus),
)
async def post_field(request: Request) -> Response:
    """Index a field, so that filters on it look values up; what they select does not change."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, FieldRequest, engine.settings)
    return json_response(await engine.workers.run(_index, engine, upload.fields.name))


@router.delete(
    "/v1/fields/{name}",
    summary="Forget the index of a field",
    responses=answers(_DROPPED, errors=(404, 507), model=FieldStatus),
)
async def delete_field(request: Request, name: str) -> Response:
    """Forget the index of a field; filters on it go on, more slowly."""
    engine = writable_engine_of(request)
    return json_response(await engine.workers.run(_drop, engine, restore_slashes(name)))


def _list(engine: Engine) -> JSONObject:
    uses = field_uses(engine.gallery.collection.store)
    return {
        "fields": [{"name": use.name, "items": use.items, "indexed": use.indexed} for use in uses]
    }


def _list_values(engine: Engine, name: str, *, limit: int) -> JSONObject:
    # One more than asked for tells whether there are more.
    found = field_values(engine.gallery.collection.store, name, limit=limit + 1)
    return {
        "name": name,
        "values": [{"value": use.value, "items": use.items} for use in found[:limit]],
        "more": len(found) > limit,
    }


def _index(engine: Engine, name: str) -> JSONObject:
    is_new = engine.gallery.collection.write(IndexField(name))
    return {"name": name, "status": "created" if is_new else "unchanged"}


def _drop(engine: Engine, name: str) -> JSONObject:
    engine.gallery.collection.write(DropField(name))
    return {"name": name, "status": "dropped"}
