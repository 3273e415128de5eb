"""``/v1/items``: adding, listing, changing and deleting what the gallery holds."""

from __future__ import annotations

import base64
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from core.errors import UsageError
from core.types import FloatArray, JSONObject, JSONValue
from index.changes import vector_blob
from index.filters import Filter, parse_filter
from service.access import check_count, engine_of, writable_engine_of
from service.adding import (
    PendingItem,
    add_items,
    digest_of,
    pending_from_form,
    pending_from_json,
)
from service.answers import AddAnswer, DeleteAnswer, ItemAnswer, ItemsAnswer
from service.engine import Engine
from service.errors import out_of_range
from service.idempotency import RepeatableRequest
from service.item_links import item_object
from service.middleware import restore_slashes
from service.openapi import answers, json_body
from service.responses import json_response
from service.schemas import AddForm, AddRequest, DeleteRequest, ItemChange
from service.uploads import is_form, parse_json, read_upload

router = APIRouter(tags=["items"])

_ITEM: JSONObject = {
    "id": "a17",
    "caption": "a red car",
    "metadata": {"source": "shop"},
    "digest": "9f86d081...",
    "image_url": "/v1/items/a17/image",
    "thumbnail_url": "/v1/items/a17/thumbnail",
    "thumbnail_width": 320,
    "thumbnail_height": 240,
}
_ADDED: JSONObject = {"results": [{"id": "a17", "status": "created", "error": None}]}
_WRITE_ERRORS = (404, 415, 422, 507)


@router.post(
    "/v1/items",
    summary="Add images",
    openapi_extra=json_body(AddRequest, form=AddForm),
    responses=answers(_ADDED, errors=(409, 502, *_WRITE_ERRORS), model=AddAnswer),
)
async def post_items(request: Request) -> Response:
    """Add or replace items; what is acknowledged is durable and searchable."""
    engine = writable_engine_of(request)
    pending = await _read_pending(request, engine)
    check_count(len(pending), limit=engine.settings.max_images, what="images", param="items")
    key = request.headers.get("idempotency-key")
    return json_response(await engine.workers.run(_add, engine, pending, key))


@router.get(
    "/v1/items",
    summary="List items",
    responses=answers({"items": [_ITEM], "cursor": None}, errors=(422,), model=ItemsAnswer),
)
async def get_items(
    request: Request,
    filter: Annotated[str | None, Query(description="JSON object, see docs/api.md")] = None,
    cursor: Annotated[str | None, Query(description="of the last page, to go on")] = None,
    limit: Annotated[int, Query(ge=1, description="items of one page")] = 100,
    vectors: Annotated[
        Literal["base64"] | None, Query(description="fills `vector` of each item")
    ] = None,
) -> Response:
    """Return one page of items in the order of their ids."""
    engine = engine_of(request)
    most = engine.settings.max_k
    if limit > most:
        raise out_of_range(f"limit = {limit}, the most is {most}; page with cursor", param="limit")
    chosen = None if filter is None else _filter(parse_json(filter, param="filter"))
    find = partial(_page, engine, with_vectors=vectors is not None)
    return json_response(await engine.workers.run(find, filter=chosen, cursor=cursor, limit=limit))


@router.post(
    "/v1/items/delete",
    summary="Delete items by ids or filter",
    openapi_extra=json_body(DeleteRequest),
    responses=answers({"deleted": 2}, errors=_WRITE_ERRORS, model=DeleteAnswer),
)
async def post_delete(request: Request) -> Response:
    """Delete the named items, or all that fit the filter; unknown ids count as done."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, DeleteRequest, engine.settings)
    return json_response(await engine.workers.run(_delete, engine, upload.fields))


@router.get(
    "/v1/items/{item_id}",
    summary="One item",
    responses=answers(_ITEM, errors=(404,), model=ItemAnswer),
)
async def get_item(request: Request, item_id: str) -> Response:
    """Return caption and metadata of an item."""
    engine = engine_of(request)
    return json_response(await engine.workers.run(_item, engine, restore_slashes(item_id)))


@router.patch(
    "/v1/items/{item_id}",
    summary="Change caption or metadata",
    openapi_extra=json_body(ItemChange),
    responses=answers(_ITEM, errors=_WRITE_ERRORS, model=ItemAnswer),
)
async def patch_item(request: Request, item_id: str) -> Response:
    """Replace the caption, the metadata or both; absent fields stay as they are."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, ItemChange, engine.settings)
    found = await engine.workers.run(_change, engine, restore_slashes(item_id), upload.fields)
    return json_response(found)


@router.delete(
    "/v1/items/{item_id}",
    summary="Delete one item",
    responses=answers({"deleted": 1}, errors=(404, 507), model=DeleteAnswer),
)
async def delete_item(request: Request, item_id: str) -> Response:
    """Delete an item; an unknown id is 404."""
    engine = writable_engine_of(request)
    name = restore_slashes(item_id)
    await engine.workers.run(engine.gallery.item, name)
    deleted = await engine.workers.run(engine.gallery.delete, [name])
    return json_response({"deleted": deleted})


async def _read_pending(request: Request, engine: Engine) -> list[PendingItem]:
    if is_form(request):
        form = await read_upload(request, AddForm, engine.settings)
        return pending_from_form(form.fields, form.images)
    upload = await read_upload(request, AddRequest, engine.settings)
    return await engine.workers.run(pending_from_json, engine, upload.fields)


def _add(engine: Engine, pending: list[PendingItem], key: str | None) -> JSONObject:
    if key is None:
        return add_items(engine, pending)
    request = RepeatableRequest(key, digest_of(pending))
    return engine.idempotency.once(request, lambda: add_items(engine, pending, request))


def _page(
    engine: Engine, *, filter: Filter | None, cursor: str | None, limit: int, with_vectors: bool
) -> JSONObject:
    collection = engine.gallery.collection
    page = collection.scroll(filter=filter, cursor=cursor, limit=limit)
    names = [item.id for item in page.items] if with_vectors else []
    vectors = collection.find_vectors(names)
    items: list[JSONValue] = [
        {**item_object(engine.gallery, item), "vector": _encoded(vectors[item.id])}
        if item.id in vectors
        else item_object(engine.gallery, item)
        for item in page.items
    ]
    return {"items": items, "cursor": page.cursor}


def _encoded(vector_D: FloatArray) -> str:
    return base64.b64encode(vector_blob(vector_D)).decode()


def _delete(engine: Engine, fields: DeleteRequest) -> JSONObject:
    if (fields.ids is None) == (fields.filter is None):
        raise UsageError("send exactly one of ids (a list) and filter (an object)", param="ids")
    if fields.ids is not None:
        return {"deleted": engine.gallery.delete(fields.ids)}
    return {"deleted": engine.gallery.delete_where(_filter(fields.filter))}


def _change(engine: Engine, item_id: str, fields: ItemChange) -> JSONObject:
    changes = fields.model_dump(exclude_unset=True)
    if not changes:
        raise UsageError("nothing to change; send caption, metadata or both", param="caption")
    engine.gallery.collection.update(item_id, **changes)
    return _item(engine, item_id)


def _item(engine: Engine, item_id: str) -> JSONObject:
    return item_object(engine.gallery, engine.gallery.item(item_id))


def _filter(value: object) -> Filter:
    if not isinstance(value, dict) or not value:
        raise UsageError(
            'a filter is a JSON object with at least one field, for example {"source": "shop"}',
            param="filter",
        )
    return parse_filter(value)
