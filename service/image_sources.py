"""The images of a request, however they were sent, and their embeddings one by one.

# N = images, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from core.errors import SightlineError, UsageError
from core.types import FloatArray
from core.web_address import is_url
from encoders.preprocessing import preprocess_bytes
from service.access import check_count
from service.engine import Engine
from service.remote_images import Fetched
from service.request_scope import count_work
from service.schemas import ImageInputs
from service.uploads import decode_base64_image


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
    engine: Engine, sources: Sequence[ImageSource]
) -> list[FloatArray | SightlineError]:
    """Return the (D,) embedding of each image, or the error of that image.

    Raises:
        BusyError: too many images wait for the model.
        DeadlineError: the time of the request ended.
        UsageError: more images than one request may have.
    """
    check_count(len(sources), limit=engine.settings.max_images, what="images", param="image")
    fetched = engine.remote_images.fetch(_urls(sources))
    found: dict[int, FloatArray | SightlineError] = {}
    uploads: dict[int, bytes] = {}
    for place, source in enumerate(sources):
        try:
            if source.item_id is not None:
                found[place] = engine.gallery.collection.vectors([source.item_id])[0]
            else:
                uploads[place] = _bytes_of(source, fetched, engine.settings.max_image_bytes)
        except SightlineError as error:
            found[place] = error
    embedded = embed_images(engine, list(uploads.values()))
    found |= dict(zip(uploads, embedded, strict=True))
    return [found[place] for place in range(len(sources))]


def embed_images(engine: Engine, images: Sequence[bytes]) -> list[FloatArray | SightlineError]:
    """Return the (D,) embedding of each picture, or its error, from memory where it is known.

    What is not known is decoded before any batch, so that only good pictures reach one.

    Raises:
        BusyError: too many images wait for the model.
        DeadlineError: the time of the request ended.
    """
    count_work(images=len(images))
    # A file over the limit of bytes is refused before it is hashed. All else that the limits say
    # of a picture was checked when it was first embedded, under the same limits.
    keys = [(engine.encoder.encoder_id, sha256(data).digest()) for data in images]

    def compute(places: list[int]) -> list[FloatArray | SightlineError]:
        return _embed_missing(engine, [images[place] for place in places])

    return engine.image_cache.fetch(keys, compute, at_once=engine.settings.max_batch_images)


def _embed_missing(engine: Engine, images: Sequence[bytes]) -> list[FloatArray | SightlineError]:
    preprocessing, limits = engine.encoder.preprocessing, engine.gallery.limits
    decoded = engine.decoding.map(
        lambda data: preprocess_bytes(data, preprocessing, limits, decode=engine.decode), images
    )
    good = [pixels for pixels in decoded if not isinstance(pixels, SightlineError)]
    vectors = iter(engine.encoder.encode_each_image(good))
    return [item if isinstance(item, SightlineError) else next(vectors) for item in decoded]


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
