"""Where the parts of an item are found."""

from __future__ import annotations

from urllib.parse import quote

from core.types import JSONObject
from index.items import Item


def image_url(item_id: str) -> str:
    """Return the path of an item's image; every character of the id is escaped, also slashes."""
    return f"/v1/items/{quote(item_id, safe='')}/image"


def thumbnail_url(item_id: str) -> str:
    """Return the path of an item's thumbnail."""
    return f"/v1/items/{quote(item_id, safe='')}/thumbnail"


def item_object(item: Item) -> JSONObject:
    """Return an item as clients see it; the path of its file stays private."""
    return {
        "id": item.id,
        "caption": item.caption,
        "metadata": item.metadata,
        "digest": item.digest,
        "image_url": image_url(item.id),
        "thumbnail_url": thumbnail_url(item.id),
    }
