"""The pictures of items: the stored bytes and a small version."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from core.errors import UnsupportedImageError
from core.types import JSONObject
from encoders.decoding import sniff_format
from index.thumbnails import THUMBNAIL_SIDE
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

Version = Annotated[
    str,
    Query(max_length=64, description="the item's digest: the answer may be kept for a year"),
]
_ASK_AGAIN = "private, no-cache"
_FOREVER = "private, max-age=31536000, immutable"
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
async def get_image(request: Request, item_id: str, v: Version = "") -> Response:
    """Return the bytes as they were added."""
    engine = engine_of(request)
    known = request.headers.get("if-none-match")
    return await engine.workers.run(
        _picture, engine, restore_slashes(item_id), known=known, version=v, side=None
    )


@router.get(
    "/v1/items/{item_id}/thumbnail",
    summary="A small version",
    response_class=Response,
    responses=_RESPONSES,
)
async def get_thumbnail(
    request: Request,
    item_id: str,
    v: Version = "",
    size: Annotated[
        Literal["160", "320", "640"], Query(description="longer side in pixels, at most")
    ] = "320",
) -> Response:
    """Return a small, newly encoded picture for lists; each size is made once and kept."""
    engine = engine_of(request)
    known = request.headers.get("if-none-match")
    return await engine.workers.run(
        _picture, engine, restore_slashes(item_id), known=known, version=v, side=int(size)
    )


def _picture(
    engine: Engine, item_id: str, *, known: str | None, version: str, side: int | None
) -> Response:
    digest = engine.gallery.item(item_id).digest
    etag = f'"{digest}{_variant(side)}"'
    # An item may get another image, so a client asks each time (mostly the answer is 304), unless
    # the address says which image it means.
    headers = {"etag": etag, "cache-control": _FOREVER if version == digest else _ASK_AGAIN}
    if known is not None and etag in {part.strip() for part in known.split(",")}:
        return Response(status_code=304, headers=headers)
    gallery = engine.gallery
    data = gallery.image(item_id) if side is None else gallery.thumbnail(item_id, side=side)
    media_type = MEDIA_TYPES.get(sniff_format(data) or "")
    if media_type is None:
        raise UnsupportedImageError(
            "the stored file is not a picture that browsers may show; ask for its thumbnail"
        )
    headers["content-security-policy"] = "default-src 'none'; sandbox"
    headers["content-disposition"] = "inline"
    return Response(data, media_type=media_type, headers=headers)


def _variant(side: int | None) -> str:
    if side is None:
        return ""
    return "-t" if side == THUMBNAIL_SIDE else f"-t{side}"
