"""Adding many images: batches, what is sent of them, and what became of each image.

A batch is a list of items whose bytes are read only when its turn comes; it is sent in parts of
bounded size. A part that the service refuses as a whole is halved until the culprit stands alone,
so one bad item harms no other.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from core.errors import ConfigError, SightlineError
from core.types import JSONObject, JSONValue
from sightline.answers import ItemResult, read_results
from sightline.call import Call, given, json_body
from sightline.images import ImageLike, image_bytes
from sightline.item_calls import ITEMS


@dataclass(frozen=True, slots=True)
class NewItem:
    """An image to add, and what to say of it."""

    image: ImageLike = field(repr=False)
    """Read when its turn comes, so that any number of files may be given."""
    id: str | None = None
    """``None``: made of the content."""
    caption: str | None = None
    """``None`` keeps the caption of an item that exists already."""
    metadata: JSONObject | None = None
    """``None`` keeps the metadata of an item that exists already."""


Addable: TypeAlias = NewItem | ImageLike
"""An item, or an image of which nothing more is said."""


@dataclass(frozen=True, slots=True)
class AddLimits:
    """How much of an ``add`` is under way at a time."""

    batch_images: int = 32
    """Images of one request; the service takes 64 by default."""
    batch_bytes: int = 16 * 2**20
    """Bytes of one request, unless a single image has more; the service takes 64 MiB."""
    concurrency: int = 4
    """Batches under way; times ``batch_bytes`` it bounds the memory."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            ConfigError: one of them is not positive.
        """
        if min(self.batch_images, self.batch_bytes, self.concurrency) < 1:
            raise ConfigError(f"{self}: expected numbers of at least 1")


@dataclass(slots=True)
class AddProgress:
    """How far an ``add`` is."""

    counts: Counter[str] = field(default_factory=Counter)
    """Images by status: created, updated, unchanged, error."""

    @property
    def done(self) -> int:
        """How many images have their result."""
        return self.counts.total()

    def count(self, results: Iterable[ItemResult]) -> None:
        """Count results."""
        self.counts.update(result.status for result in results)


@dataclass(frozen=True, slots=True)
class LoadedItem:
    """An item with the bytes of its image, or why there are none."""

    item: NewItem
    data: bytes | SightlineError = field(repr=False)


Part: TypeAlias = Sequence[LoadedItem]
"""What one request sends."""


def batches(items: Iterable[Addable], limits: AddLimits) -> Iterator[list[NewItem]]:
    """Cut items into batches, in order, without reading an image."""
    whole = (item if isinstance(item, NewItem) else NewItem(item) for item in items)
    while batch := list(islice(whole, limits.batch_images)):
        yield batch


def parts(batch: Sequence[NewItem], limits: AddLimits) -> Iterator[list[LoadedItem]]:
    """Read the images of a batch, and cut it where a request would grow too large."""
    part: list[LoadedItem] = []
    size = 0
    for item in batch:
        loaded = _load(item)
        length = len(loaded.data) if isinstance(loaded.data, bytes) else 0
        if part and size + length > limits.batch_bytes:
            yield part
            part, size = [], 0
        part.append(loaded)
        size += length
    if part:
        yield part


def add_call(part: Part) -> Call[list[ItemResult]] | None:
    """Return the request that adds a part, ``None`` where none of its images could be read.

    Its key makes it safe to send again: what was done already is answered, not done twice.
    """
    good = [loaded for loaded in part if isinstance(loaded.data, bytes)]
    if not good:
        return None
    described: list[JSONValue] = [
        given(id=loaded.item.id, caption=loaded.item.caption, metadata=loaded.item.metadata)
        for loaded in good
    ]
    return Call(
        "POST",
        ITEMS,
        lambda response: _one_each(read_results(json_body(response)), len(good)),
        form={"items": json.dumps(described, allow_nan=False)},
        images=[loaded.data for loaded in good if isinstance(loaded.data, bytes)],
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )


def merged(part: Part, answered: Iterable[ItemResult]) -> list[ItemResult]:
    """Return a result for each item of a part: the answered ones, and what was not readable."""
    remaining = iter(answered)
    return [
        next(remaining)
        if isinstance(loaded.data, bytes)
        else ItemResult(loaded.item.id, "error", loaded.data)
        for loaded in part
    ]


def halves(part: Part, error: SightlineError) -> list[Part]:
    """Return the two halves of a part that the service refused, none for a single item.

    Raises:
        SightlineError: ``error`` itself, where it is not about what was sent.
    """
    if error.status not in _ABOUT_THE_REQUEST:
        raise error
    middle = len(part) // 2
    return [part[:middle], part[middle:]] if middle else []


def refused(part: Part, error: SightlineError) -> list[ItemResult]:
    """Return the result of a single item that the service refused."""
    return [ItemResult(loaded.item.id, "error", error) for loaded in part]


_ABOUT_THE_REQUEST = frozenset({400, 413, 415, 422})
"""Statuses that say that something is wrong with what was sent, and that nothing was stored."""


def _load(item: NewItem) -> LoadedItem:
    try:
        return LoadedItem(item, image_bytes(item.image))
    except SightlineError as error:
        return LoadedItem(item, error)


def _one_each(results: list[ItemResult], count: int) -> list[ItemResult]:
    if len(results) != count:
        raise ValueError(f"{len(results)} results for {count} images")
    return results
