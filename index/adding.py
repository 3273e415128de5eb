"""Pictures on their way into a gallery: checked and decoded, one at a time.

# S = image size of the model
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core.artifacts import sha256_bytes
from core.errors import SightlineError
from core.types import FloatArray, JSONObject, PixelArray
from encoders.decoding import DecodeLimits, ImageDecoder, decode_image
from encoders.preprocessing import Preprocessing, decoding_side, preprocess
from index.items import FileStamp, Item, NewItem, Status, check_caption, check_id, encode_metadata
from index.sources import is_gone
from index.thumbnails import thumbnail_bytes

_SHORTEST_DEFAULT_ID = 16


@dataclass(frozen=True, slots=True)
class NewImage:
    """A picture to add."""

    data: bytes = field(repr=False)
    """Bytes of the image file."""
    id: str | None = None
    """Name of the item; ``None`` takes the first digits of the content's sha256."""
    caption: str | None = None
    """``None`` keeps the caption of an item that exists already."""
    metadata: JSONObject | None = None
    """``None`` keeps the metadata of an item that exists already."""
    source: str | None = None
    """Absolute path of the file, where the picture is read from later. The caller vouches for it:
    never take it from a client."""
    copy: bool = False
    """Keep the bytes in the gallery although there is a ``source``."""
    stamp: FileStamp | None = None
    """How the file looked, so that it need not be read the next time."""


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of one picture."""

    id: str | None
    status: Status
    error: SightlineError | None = None


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A good picture: decoded, resized, ready for the model."""

    id: str | None
    caption: str | None
    metadata: JSONObject | None
    source: str | None
    stamp: FileStamp | None
    digest: str
    kept: bytes | None
    """The bytes where the gallery has to keep them."""
    pixels_SS3: PixelArray
    thumbnail: bytes


def prepare_image(
    image: NewImage,
    *,
    preprocessing: Preprocessing,
    limits: DecodeLimits,
    decode: ImageDecoder = decode_image,
) -> PreparedImage | AddResult:
    """Return a picture ready to be embedded, or why it cannot be. Any thread may call this."""
    try:
        if image.id is not None:
            check_id(image.id)
        check_caption(image.caption or "")
        encode_metadata(image.metadata or {})
        decoded = decode(image.data, limits, min_side=decoding_side(preprocessing))
        return PreparedImage(
            id=image.id,
            caption=image.caption,
            metadata=image.metadata,
            source=image.source,
            stamp=image.stamp,
            digest=sha256_bytes(image.data),
            kept=image.data if image.copy or image.source is None else None,
            pixels_SS3=preprocess(decoded, preprocessing),
            thumbnail=thumbnail_bytes(decoded),
        )
    except SightlineError as error:
        return AddResult(image.id, Status.ERROR, error)


def default_id(digest: str, taken: Callable[[list[str]], Mapping[str, str]]) -> str:
    """Return the shortest prefix of a digest, 16 digits or more, that names no other content.

    ``taken`` returns the digest of each of the given ids that names an item.
    """
    names = [digest[:length] for length in range(_SHORTEST_DEFAULT_ID, len(digest) + 1, 8)]
    digests = taken(names)
    return next((name for name in names if digests.get(name, digest) == digest), digest)


def moved_id(image: PreparedImage, same: Sequence[Item], taken: Mapping[str, str]) -> str | None:
    """Return the item that a file without an id was before it moved, ``None`` for a new file.

    ``same`` are the stored items of this content: it is the one whose own file is gone, and that
    is not about to get other content (``taken``, by id).
    """
    if image.id is not None or image.source is None:
        return None
    gone = (
        item.id
        for item in same
        if item.source is not None
        and taken.get(item.id, image.digest) == image.digest
        and is_gone(item.source)
    )
    return min(gone, default=None)


def new_item(
    image: PreparedImage, *, id: str, vector_D: FloatArray, stored: Item | None
) -> NewItem:
    """Return the item to store, with what the picture leaves open taken from the stored one."""
    caption, metadata, source = image.caption, image.metadata, image.source
    if stored is not None:
        caption = stored.caption if caption is None else caption
        metadata = stored.metadata if metadata is None else metadata
        source = _kept_source(image, stored)
    return NewItem(
        id=id,
        vector_D=vector_D,
        digest=image.digest,
        caption=caption or "",
        metadata=metadata or {},
        source=source,
        stamp=image.stamp,
    )


def _kept_source(image: PreparedImage, stored: Item) -> str | None:
    """Return where the picture is read from: a second copy of a file does not move the item."""
    duplicate = image.id is None and stored.digest == image.digest
    if duplicate and stored.source is not None and not is_gone(stored.source):
        return stored.source
    return image.source
