"""The images of a request, however they were sent, and their embeddings one by one.

# N = images, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import SightlineError, UsageError
from core.types import FloatArray
from encoders.preprocessing import preprocess_bytes
from service.access import check_count
from service.engine import Engine
from service.schemas import ImageInputs
from service.uploads import decode_base64_image, fetching_is_off


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One image of a request."""

    param: str
    """Where it stood in the request, for messages: ``image[1]``."""
    data: bytes | None = None
    """Its bytes, where it came as a file."""
    base64: str | None = None
    """Its base64 text or data URI."""
    item_id: str | None = None
    """The item of the gallery that it is."""


def image_sources(fields: ImageInputs, files: Sequence[bytes]) -> list[ImageSource]:
    """Return the images of a request in order: files, then base64, then ids.

    Raises:
        UsageError: no image at all, or a URL.
    """
    if fields.image_url is not None:
        raise fetching_is_off("image_url")
    sources = [ImageSource(f"image[{place}]", data=data) for place, data in enumerate(files)]
    for text in _listed(fields.image):
        sources.append(ImageSource(f"image[{len(sources)}]", base64=text))
    for place, item_id in enumerate(_listed(fields.image_id)):
        sources.append(ImageSource(f"image_id[{place}]", item_id=item_id))
    if not sources:
        raise UsageError(
            "the request has no image; send file parts named 'image', base64 in 'image', or "
            "'image_id'",
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
    found: dict[int, FloatArray | SightlineError] = {}
    uploads: dict[int, bytes] = {}
    for place, source in enumerate(sources):
        try:
            if source.item_id is not None:
                found[place] = engine.gallery.collection.vectors([source.item_id])[0]
            else:
                uploads[place] = _bytes_of(source, engine.settings.max_image_bytes)
        except SightlineError as error:
            found[place] = error
    embedded = embed_images(engine, list(uploads.values()))
    found |= dict(zip(uploads, embedded, strict=True))
    return [found[place] for place in range(len(sources))]


def embed_images(engine: Engine, images: Sequence[bytes]) -> list[FloatArray | SightlineError]:
    """Return the (D,) embedding of each picture, or its error; decoding comes before any batch.

    Raises:
        BusyError: too many images wait for the model.
        DeadlineError: the time of the request ended.
    """
    preprocessing, limits = engine.encoder.preprocessing, engine.gallery.limits
    decoded = engine.decoding.map(
        lambda data: preprocess_bytes(data, preprocessing, limits), images
    )
    good = [pixels for pixels in decoded if not isinstance(pixels, SightlineError)]
    vectors = iter(engine.encoder.encode_each_image(good))
    return [item if isinstance(item, SightlineError) else next(vectors) for item in decoded]


def _bytes_of(source: ImageSource, limit_bytes: int) -> bytes:
    if source.data is not None:
        return source.data
    assert source.base64 is not None
    return decode_base64_image(source.base64, param=source.param, limit_bytes=limit_bytes)


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
