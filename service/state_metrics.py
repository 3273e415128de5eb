"""The state of an engine as metrics: readiness, queues, caches, index, disk.

Everything is read at the scrape from memory or the file system; nothing waits for the model.
"""

from __future__ import annotations

import shutil
from functools import partial
from operator import attrgetter
from typing import Protocol

from core.errors import NotReadyError
from index.gallery import Gallery
from service.batching import SharedEncoder
from service.decoding_pool import lost_decoders
from service.live_numbers import LiveNumbers


class Cache(Protocol):
    """What every cache counts."""

    @property
    def hits(self) -> int:
        """Entries that were kept, or being computed by another request."""
        ...

    @property
    def misses(self) -> int:
        """Entries that had to be computed."""
        ...

    @property
    def evictions(self) -> int:
        """Entries dropped to make room."""
        ...

    def __len__(self) -> int: ...


class Observed(Protocol):
    """What is read of an engine."""

    encoder: SharedEncoder
    gallery: Gallery
    draining: bool

    def caches(self) -> dict[str, Cache]:
        """Return the caches by name."""
        ...


def publish_state(numbers: LiveNumbers, engine: Observed) -> None:
    """Publish the state of an open engine."""
    numbers.add_gauge(
        "ready",
        "1 where requests are taken, 0 while the service drains or its model is stuck.",
        lambda: float(_is_ready(engine)),
    )
    numbers.add_gauge(
        "queued_texts", "Texts that wait for the model.", lambda: engine.encoder.queued("text")
    )
    numbers.add_gauge(
        "queued_images", "Images that wait for the model.", lambda: engine.encoder.queued("image")
    )
    numbers.add_counter(
        "decoders_replaced",
        "Decoder processes that crashed or were killed.",
        lambda: lost_decoders(engine.gallery.decode),
    )
    _publish_caches(numbers, engine)
    _publish_index(numbers, engine.gallery)
    _publish_disk(numbers, engine.gallery)


def _is_ready(engine: Observed) -> bool:
    try:
        engine.encoder.check()
    except NotReadyError:
        return False
    return not engine.draining


def _publish_caches(numbers: LiveNumbers, engine: Observed) -> None:
    for name, cache in engine.caches().items():
        numbers.add_gauge("cache_entries", "Entries in memory.", cache.__len__, cache=name)
        for what, help_text in (
            ("hits", "Entries found in memory, or being computed by another request."),
            ("misses", "Entries that had to be computed."),
            ("evictions", "Entries dropped to make room."),
        ):
            read = partial(attrgetter(what), cache)
            numbers.add_counter(f"cache_{what}", help_text, read, cache=name)


def _publish_index(numbers: LiveNumbers, gallery: Gallery) -> None:
    collection = gallery.collection
    numbers.add_gauge("gallery_items", "Items of the gallery.", collection.count)
    numbers.add_gauge(
        "gallery_damaged_items", "Items without a usable vector.", lambda: len(collection.damaged)
    )
    for part in ("base", "dead", "delta"):
        numbers.add_gauge(
            "index_rows",
            "Rows of the index: in the base, dead in it, in the delta.",
            lambda part=part: getattr(collection.index.sizes(), part),  # type: ignore[misc]
            part=part,
        )
    numbers.add_gauge(
        "index_generation", "Number of the base in use.", lambda: collection.generation
    )
    numbers.add_gauge(
        "write_queue", "Changes that wait for their commit.", lambda: collection.writes_waiting
    )


def _publish_disk(numbers: LiveNumbers, gallery: Gallery) -> None:
    folder = gallery.collection.folder
    numbers.add_gauge(
        "disk_free_bytes",
        "Free bytes of the file system of the gallery.",
        lambda: shutil.disk_usage(folder).free,
    )
    numbers.add_gauge(
        "disk_bytes",
        "Size of the file system of the gallery.",
        lambda: shutil.disk_usage(folder).total,
    )
