"""Where the parts of an item are found."""

from __future__ import annotations

from urllib.parse import quote

from core.types import JSONObject
from index.gallery import Gallery
from index.items import Hit, Item


def image_url(item_id: str) -> str:
    """Return the path of an item's image; every character of the id is escaped, also slashes."""
    return f"{_path(item_id)}/image"


def thumbnail_url(item_id: str) -> str:
    """Return the path of an item's thumbnail."""
    return f"{_path(item_id)}/thumbnail"


def picture_fields(gallery: Gallery, found: Item | Hit) -> JSONObject:
    """Return where the pictures of an item are, and the shape of its thumbnail where known."""
    width, height = gallery.thumbnail_shape(found.digest) or (None, None)
    path = _path(found.id)
    return {
        "digest": found.digest,
        "image_url": f"{path}/image",
        "thumbnail_url": f"{path}/thumbnail",
        "thumbnail_width": width,
        "thumbnail_height": height,
    }


def item_object(gallery: Gallery, item: Item) -> JSONObject:
    """Return an item as clients see it; the path of its file stays private."""
    return {
        "id": item.id,
        "caption": item.caption,
        "metadata": item.metadata,
        **picture_fields(gallery, item),
    }


def _path(item_id: str) -> str:
    """Return the path of an item."""
    return f"/v1/items/{quote(item_id, safe='')}"
