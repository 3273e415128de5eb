"""The pictures of items: the stored bytes and a small version."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.errors import UnsupportedImageError
from core.types import JSONObject
from encoders.decoding import sniff_format
from service.access import engine_of
from service.engine import Engine
from service.middleware import restore_slashes
from service.openapi import refusals, succeeds

router = APIRouter(tags=["items"])

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}
"""What may leave this service as a picture; raster formats only, none can carry a script."""

_BYTES: JSONObject = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: succeeds(dict.fromkeys(MEDIA_TYPES.values(), _BYTES), description="the picture"),
    304: {"description": "unchanged since the ETag in If-None-Match"},
    **refusals((404, 415, 422)),
}


@router.get(
    "/v1/items/{item_id}/image",
    summary="The image",
    response_class=Response,
    responses=_RESPONSES,
)
async def get_image(request: Request, item_id: str) -> Response:
    """Return the bytes as they were added."""
    engine = engine_of(request)
    return await engine.workers.run(
        _picture, engine, restore_slashes(item_id), request.headers.get("if-none-match"), ""
    )


@router.get(
    "/v1/items/{item_id}/thumbnail",
    summary="A small version",
    response_class=Response,
    responses=_RESPONSES,
)
async def get_thumbnail(request: Request, item_id: str) -> Response:
    """Return a small, newly encoded picture for lists."""
    engine = engine_of(request)
    return await engine.workers.run(
        _picture, engine, restore_slashes(item_id), request.headers.get("if-none-match"), "-t"
    )


def _picture(engine: Engine, item_id: str, known: str | None, variant: str) -> Response:
    etag = f'"{engine.gallery.item(item_id).digest}{variant}"'
    # An item may get another image, so a client asks each time; mostly the answer is 304.
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if known is not None and etag in {part.strip() for part in known.split(",")}:
        return Response(status_code=304, headers=headers)
    gallery = engine.gallery
    data = gallery.thumbnail(item_id) if variant else gallery.image(item_id)
    media_type = MEDIA_TYPES.get(sniff_format(data) or "")
    if media_type is None:
        raise UnsupportedImageError(
            "the stored file is not a picture that browsers may show; ask for its thumbnail"
        )
    headers["content-security-policy"] = "default-src 'none'; sandbox"
    headers["content-disposition"] = "inline"
    return Response(data, media_type=media_type, headers=headers)
