"""The images of a request, however they were sent, and their embeddings one by one.

# N = images, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from core.errors import SightlineError, UsageError
from core.types import FloatArray
from core.web_address import is_url
from encoders.crops import check_crops, preprocess_view_bytes
from service.access import check_count
from service.engine import Engine
from service.remote_images import Fetched
from service.request_scope import count_work
from service.schemas import ImageInputs
from service.uploads import decode_base64_image
from zeroshot.crops import mean_of_views


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One image of a request."""

    param: str
    """Where it stood in the request, for messages: ``image[1]``."""
    data: bytes | None = None
    """Its bytes, where it came as a file."""
    base64: str | None = None
    """Its base64 text or data URI; a text that begins as a URL is one."""
    url: str | None = None
    """The address to load it from."""
    item_id: str | None = None
    """The item of the gallery that it is."""


def image_sources(fields: ImageInputs, files: Sequence[bytes]) -> list[ImageSource]:
    """Return the images of a request in order: files, then base64, then ids, then URLs.

    Raises:
        UsageError: no image at all.
    """
    sources = [ImageSource(f"image[{place}]", data=data) for place, data in enumerate(files)]
    for text in _listed(fields.image):
        sources.append(ImageSource(f"image[{len(sources)}]", base64=text))
    for place, item_id in enumerate(_listed(fields.image_id)):
        sources.append(ImageSource(f"image_id[{place}]", item_id=item_id))
    for place, url in enumerate(_listed(fields.image_url)):
        sources.append(ImageSource(f"image_url[{place}]", url=url))
    if not sources:
        raise UsageError(
            "the request has no image; send file parts named 'image', base64 in 'image', "
            "'image_id' or 'image_url'",
            param="image",
        )
    return sources


def embed_sources(
    engine: Engine, sources: Sequence[ImageSource], *, crops: int = 1
) -> list[FloatArray | SightlineError]:
    """Return the (D,) embedding of each image, or the error of that image.

    Args:
        engine: the service.
        sources: the images of a request.
        crops: views of each image whose embeddings are averaged; each counts as an image.

    Raises:
        BusyError: too many images wait for the model.
        DeadlineError: the time of the request ended.
        UsageError: more images than one request may have, or another number of views than 1, 5, 10.
    """
    check_crops(crops)
    what = "images" if crops == 1 else f"views ({crops} of each image)"
    check_count(len(sources) * crops, limit=engine.settings.max_images, what=what, param="image")
    fetched = engine.remote_images.fetch(_urls(sources))
    found: dict[int, FloatArray | SightlineError] = {}
    uploads: dict[int, bytes] = {}
    for place, source in enumerate(sources):
        try:
            if source.item_id is not None and crops > 1:
                uploads[place] = engine.gallery.image(source.item_id)
            elif source.item_id is not None:
                found[place] = engine.gallery.collection.vectors([source.item_id])[0]
            else:
                uploads[place] = _bytes_of(source, fetched, engine.settings.max_image_bytes)
        except SightlineError as error:
            found[place] = error
    embedded = embed_images(engine, list(uploads.values()), crops=crops)
    found |= dict(zip(uploads, embedded, strict=True))
    return [found[place] for place in range(len(sources))]


def embed_images(
    engine: Engine, images: Sequence[bytes], *, crops: int = 1
) -> list[FloatArray | SightlineError]:
    """Return the (D,) embedding of each picture, or its error, from memory where it is known.

    What is not known is decoded before any batch, so that only good pictures reach one. With
    ``crops`` above 1 it is the mean of that many views.

    Raises:
        BusyError: too many images wait for the model.
        DeadlineError: the time of the request ended.
    """
    count_work(images=len(images) * crops)
    # A file over the limit of bytes is refused before it is hashed. All else that the limits say
    # of a picture was checked when it was first embedded, under the same limits.
    encoder_id = engine.encoder.encoder_id
    owner = encoder_id if crops == 1 else f"{encoder_id}/{crops}"
    keys = [(owner, sha256(data).digest()) for data in images]

    def compute(places: list[int]) -> list[FloatArray | SightlineError]:
        return _embed_missing(engine, [images[place] for place in places], crops=crops)

    at_once = max(1, engine.settings.max_batch_images // crops)
    return engine.image_cache.fetch(keys, compute, at_once=at_once)


def _embed_missing(
    engine: Engine, images: Sequence[bytes], *, crops: int
) -> list[FloatArray | SightlineError]:
    preprocessing, limits = engine.encoder.preprocessing, engine.gallery.limits
    decoded = engine.decoding.map(
        lambda data: preprocess_view_bytes(
            data, preprocessing, limits, crops=crops, decode=engine.decode
        ),
        images,
    )
    good = [view for views in decoded if not isinstance(views, SightlineError) for view in views]
    views = iter(engine.encoder.encode_each_image(good))
    return [
        item if isinstance(item, SightlineError) else _one_of_views([next(views) for _ in item])
        for item in decoded
    ]


def _one_of_views(views: Sequence[FloatArray | SightlineError]) -> FloatArray | SightlineError:
    """Return the (D,) embedding of a picture from those of its views, or the first error."""
    good = []
    for view in views:
        if isinstance(view, SightlineError):
            return view
        good.append(view)
    mean_D: FloatArray = mean_of_views(np.stack(good), crops=len(good))[0]
    return mean_D


def _urls(sources: Sequence[ImageSource]) -> dict[str, str]:
    """Return the addresses among the sources by their places in the request."""
    texts = {source.param: source.url or source.base64 or "" for source in sources}
    named = {source.param for source in sources if source.url is not None}
    return {param: text for param, text in texts.items() if param in named or is_url(text)}


def _bytes_of(source: ImageSource, fetched: Fetched, limit_bytes: int) -> bytes:
    if source.data is not None:
        return source.data
    loaded = fetched.get(source.param)
    if isinstance(loaded, SightlineError):
        raise loaded
    if loaded is not None:
        return loaded
    assert source.base64 is not None
    return decode_base64_image(source.base64, param=source.param, limit_bytes=limit_bytes)


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
