"""Items of the gallery: requests and the reading of their answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

import httpx

from core.errors import UsageError
from core.types import JSONObject
from sightline.answers import Item, ItemPage, read_item, read_page
from sightline.call import Call, given, json_body

ITEMS = "/v1/items"


def get_item_call(id: str) -> Call[Item]:
    """Return the request of one item."""
    return Call("GET", item_path(id), _item)


def update_item_call(id: str, *, caption: str | None, metadata: JSONObject | None) -> Call[Item]:
    """Return the request that replaces the caption, the metadata or both.

    Raises:
        UsageError: neither is given.
    """
    changes = given(caption=caption, metadata=metadata)
    if not changes:
        raise UsageError("nothing to change; give caption, metadata or both", param="caption")
    return Call("PATCH", item_path(id), _item, json=changes)


def delete_items_call(ids: Sequence[str] | None, filter: JSONObject | None) -> Call[int]:
    """Return the request that deletes items by ids or filter; the answer is their number.

    Raises:
        UsageError: not exactly one of the two, or one id instead of a list.
    """
    if isinstance(ids, str):
        raise UsageError("ids is one text; give a list of ids", param="ids")
    if (ids is None) == (filter is None):
        raise UsageError("give the ids to delete or a filter; one of the two", param="ids")
    body = given(ids=None if ids is None else list(ids), filter=filter)
    return Call(
        "POST", f"{ITEMS}/delete", lambda response: int(json_body(response)["deleted"]), json=body
    )


def list_items_call(*, filter: JSONObject | None, cursor: str | None, limit: int) -> Call[ItemPage]:
    """Return the request of one page of items in the order of their ids."""
    params = {"limit": str(limit)}
    if filter is not None:
        params["filter"] = json.dumps(filter, allow_nan=False)
    if cursor is not None:
        params["cursor"] = cursor
    return Call("GET", ITEMS, lambda response: read_page(json_body(response)), params=params)


def image_call(id: str, *, kind: str = "image") -> Call[bytes]:
    """Return the request of an item's ``image`` or ``thumbnail``."""
    return Call("GET", f"{item_path(id)}/{kind}", lambda response: response.content)


def item_path(id: str) -> str:
    """Return the path of an item; every character of the id is escaped, also slashes and dots.

    A segment of dots alone would be taken for "this folder" or "the one above".
    """
    return f"{ITEMS}/{quote(id, safe='').replace('.', '%2E')}"


def _item(response: httpx.Response) -> Item:
    return read_item(json_body(response))
