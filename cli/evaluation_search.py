"""What ``sightline evaluate`` lets search: the index of a gallery, or a running service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import NotFoundError, UsageError
from core.types import JSONObject
from evaluation.searching import Asked, Found

if TYPE_CHECKING:
    from evaluation.retrieval_task import Side
    from index.collection import Collection
    from index.filters import Filter
    from sightline.client import Client

_MS = 1000.0


class GallerySearch:
    """The index of a gallery on this machine, asked with vectors."""

    def __init__(self, collection: Collection, name: str, *, filter: Filter | None = None) -> None:
        """Search an open collection."""
        self._collection = collection
        self._filter = filter
        self.name = name

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return which of the ids are in the gallery."""
        return set(self._collection.find(list(ids)))

    def __call__(self, asked: Asked, *, k: int) -> Found:
        """Return up to ``k`` hits."""
        assert asked.vector_D is not None
        started = time.perf_counter()
        found = self._collection.search(asked.vector_D, k=k, filter=self._filter)
        took_ms = _MS * (time.perf_counter() - started)
        return Found(
            tuple(hit.id for hit in found.hits),
            tuple(hit.score for hit in found.hits),
            took_ms,
            found.plan,
        )


class ServedSearch:
    """A running service, asked with captions and pictures as its users ask it."""

    def __init__(self, client: Client, name: str, *, filter: JSONObject | None = None) -> None:
        """Search through an open client."""
        self._client = client
        self._filter = filter
        self.name = name

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return which of the ids are in the gallery."""
        return {name for name in ids if self._holds(name)}

    def __call__(self, asked: Asked, *, k: int) -> Found:
        """Return up to ``k`` hits; the time is that of the whole request."""
        from encoders.decoding import read_image_file
        from sightline.query import Term

        if asked.text:
            # A term of its own: a minus in a caption is no operator.
            terms, images = [Term(text=asked.text)], []
        else:
            terms, images = None, [read_image_file(asked.image)]
        started = time.perf_counter()
        answer = self._client.search(terms, images=images, k=k, filter=self._filter)
        took_ms = _MS * (time.perf_counter() - started)
        return Found(
            tuple(hit.id for hit in answer.hits),
            tuple(hit.score for hit in answer.hits),
            took_ms,
            answer.plan,
        )

    def _holds(self, name: str) -> bool:
        try:
            self._client.items.get(name)
        except NotFoundError:
            return False
        return True


@contextmanager
def indexed_gallery(
    folder: Path, *, encoder_id: str | None, filter: JSONObject | None
) -> Iterator[tuple[Side, GallerySearch]]:
    """Yield all images of a gallery as a side to search, and the search of its index.

    Raises:
        EncoderMismatchError: the gallery was filled by another model than the queries.
        UsageError: the gallery is empty.
    """
    from index.filters import parse_filter

    with open_collection(folder) as collection:
        refuse_other_encoder(collection, folder, encoder_id)
        chosen = None if filter is None else parse_filter(filter)
        search = GallerySearch(collection, f"{folder.name}: {_plan(collection)}", filter=chosen)
        yield _side(collection, chosen), search


@contextmanager
def open_collection(folder: Path) -> Iterator[Collection]:
    """Yield the collection of a gallery as it is bound, without its model."""
    from contextlib import closing

    from index.binding import read_binding
    from index.collection import Collection
    from index.store import StoreReader

    with closing(StoreReader(folder)) as store:
        binding = read_binding(store)
    with Collection.open(
        folder, encoder_id=binding.encoder_id, dim=binding.dim, read_only=True
    ) as collection:
        yield collection


def refuse_other_encoder(collection: Collection, folder: Path, encoder_id: str | None) -> None:
    """Refuse queries of another model than the gallery's.

    Raises:
        EncoderMismatchError: the encoder ids differ.
    """
    from core.errors import EncoderMismatchError

    if encoder_id != collection.binding.encoder_id:
        raise EncoderMismatchError(
            f"the queries were embedded by {encoder_id}, {folder} by "
            f"{collection.binding.encoder_id}; embed the data with the gallery's model: sightline "
            "evaluate embed --model"
        )


@contextmanager
def open_client(url: str) -> Iterator[Client]:
    """Yield a client of a service."""
    from cli.settings import api_key
    from sightline.client import Client

    with Client(url, api_key=api_key()) as client:
        yield client


def _side(collection: Collection, filter: Filter | None) -> Side:
    from core.pairs.pair import Pair
    from evaluation.retrieval_task import Side

    store = collection.store
    with store.frozen():
        row_ids_N = store.row_ids(store.condition(filter))
        names = store.ids_of_rows(row_ids_N)
    ids = tuple(sorted(names.values()))
    if not ids:
        raise UsageError("the gallery holds no image that could be found; add some first")
    return Side(
        ids,
        ("",) * len(ids),
        tuple(Pair(id=name, image=Path(name), captions=()) for name in ids),
        collection.vectors(ids),
    )


def _plan(collection: Collection) -> str:
    return collection.index.plan.describe()
