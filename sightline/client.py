"""The client of a Sightline service. `AsyncClient` has the same methods, to be awaited.

    with Client("http://127.0.0.1:8000") as client:
        for hit in client.search("a red car -toy"):
            print(hit.id, hit.score)

Methods raise the errors of ``core.errors``, with ``status`` and ``request_id`` of the answer.
Any number of threads may share a client.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from core.errors import NotReadyError, ServerError
from core.types import FloatArray, JSONObject
from sightline.adding import Addable, AddLimits, AddProgress
from sightline.answers import FieldUse, Gallery, Hit, ItemResult, Model, SearchAnswer
from sightline.call import check_address
from sightline.images import ImageLike
from sightline.items import Items
from sightline.judgements import Judgements
from sightline.label_answers import ClassifyAnswer, Labels
from sightline.label_calls import LabelRequest, classify_call
from sightline.label_sets import LabelSets
from sightline.query import Term
from sightline.retries import RetryRule
from sightline.search_calls import Mode, embed_images_call, embed_texts_call, search_call
from sightline.sending import BatchSender
from sightline.server_calls import (
    drop_field_call,
    fields_call,
    gallery_call,
    index_field_call,
    models_call,
    ready_call,
)
from sightline.transport import Connection, Transport

SECONDS_BETWEEN_PROBES = 0.2
SEARCH_PAGE = 100
"""Hits of one page where all are wanted."""


class Client:
    """A service and its gallery; close it, or use it in a ``with``."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = Connection.timeout_s,
        connections: int = Connection.connections,
        proxy: str | None = None,
        verify: bool = True,
        retries: RetryRule | None = None,
    ) -> None:
        """Keep the address; nothing is sent yet. The fields are those of `Connection`.

        Raises:
            UsageError: ``url`` is no address of a service.
        """
        connection = Connection(check_address(url), api_key, timeout_s, connections, proxy, verify)
        self.url = connection.url
        self._transport = Transport(connection.open(), retries or RetryRule())
        self.items = Items(self._transport)
        self.label_sets = LabelSets(self._transport)
        self.judgements = Judgements(self._transport)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; the client can no longer be used."""
        self._transport.close()

    def search(
        self,
        query: str | Sequence[Term] | None = None,
        *,
        text: str | None = None,
        images: Sequence[ImageLike] = (),
        k: int = 10,
        filter: JSONObject | None = None,
        cursor: str | None = None,
        min_confidence: float | None = None,
        mode: Mode = "vector",
        explain: bool = False,
    ) -> SearchAnswer:
        """Return one page of hits, best first.

        Args:
            query: words in the query language (``a red car -toy 2:vintage +id:a17``), or terms.
            text: words taken literally, beside ``query``.
            images: terms of weight 1, beside ``query``.
            k: number of hits.
            filter: which items may be found.
            cursor: of an earlier answer to the same query, to go on.
            min_confidence: least calibrated confidence.
            mode: by meaning, by the words of captions, or both.
            explain: fill ``terms`` of each hit.

        Raises:
            SightlineError: the query cannot be answered; the message says what to change.
        """
        return self._transport.send(
            search_call(
                query,
                text=text,
                images=images,
                k=k,
                filter=filter,
                cursor=cursor,
                min_confidence=min_confidence,
                mode=mode,
                explain=explain,
            )
        )

    def search_all(
        self,
        query: str | Sequence[Term] | None = None,
        *,
        images: Sequence[ImageLike] = (),
        filter: JSONObject | None = None,
        min_confidence: float | None = None,
        mode: Mode = "vector",
        page: int = SEARCH_PAGE,
    ) -> Iterator[Hit]:
        """Yield every hit, best first, page by page; stop taking them when you have enough."""
        cursor: str | None = None
        while True:
            answer = self.search(
                query,
                images=images,
                k=page,
                filter=filter,
                cursor=cursor,
                min_confidence=min_confidence,
                mode=mode,
            )
            yield from answer.hits
            cursor = answer.cursor
            if cursor is None:
                return

    def classify(self, image: ImageLike, labels: Sequence[str] | LabelRequest) -> Labels:
        """Return which of the labels fit an image; a `LabelRequest` says more than a list.

        Raises:
            SightlineError: the image or the labels cannot be used.
        """
        (found,) = self.classify_many([image], labels).results
        return found

    def classify_many(
        self,
        images: Sequence[ImageLike],
        labels: Sequence[str] | LabelRequest,
        *,
        image_ids: Sequence[str] = (),
    ) -> ClassifyAnswer:
        """Return the labels of images and of items, in this order; a bad one harms no other."""
        return self._transport.send(classify_call(images, image_ids, labels))

    def embed_texts(self, texts: Sequence[str], *, dimensions: int | None = None) -> FloatArray:
        """Return unit vectors (N, D) of texts; ``dimensions`` keeps the first n numbers."""
        return self._transport.send(embed_texts_call(texts, dimensions=dimensions))

    def embed_images(
        self, images: Sequence[ImageLike], *, dimensions: int | None = None
    ) -> FloatArray:
        """Return unit vectors (N, D) of images; a bad one fails the whole request."""
        return self._transport.send(embed_images_call(images, dimensions=dimensions))

    def add(
        self,
        items: Iterable[Addable],
        *,
        limits: AddLimits | None = None,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> list[ItemResult]:
        """Add images and return what became of each, in order; see :meth:`add_stream`."""
        return list(self.add_stream(items, limits=limits, progress=progress))

    def add_stream(
        self,
        items: Iterable[Addable],
        *,
        limits: AddLimits | None = None,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> Generator[ItemResult, None, None]:
        """Add images in batches and yield what became of each, in order, as it is known.

        Nothing is sent before the first result is asked for. Images are read when their batch is
        sent, so a million files take the memory of a few batches. A result with a status other
        than ``error`` is durable and searchable.

        Raises:
            SightlineError: the service could not be reached, or takes nothing now. What was
                yielded is stored; adding the same again answers ``unchanged`` for what is there.
        """
        done = AddProgress()
        sender = BatchSender(self._transport, limits or AddLimits())
        with closing(sender.results(items)) as answered:
            for results in answered:
                done.count(results)
                if progress is not None:
                    progress(done)
                yield from results

    def gallery(self) -> Gallery:
        """Return what the service holds."""
        return self._transport.send(gallery_call())

    def models(self) -> tuple[Model, ...]:
        """Return the models that the service runs."""
        return self._transport.send(models_call())

    def fields(self) -> tuple[FieldUse, ...]:
        """Return the metadata fields, how many items have them, and which are indexed."""
        return self._transport.send(fields_call())

    def index_field(self, name: str) -> bool:
        """Index a field, and return whether it was not; dots lead into nested objects."""
        return self._transport.send(index_field_call(name))

    def drop_field(self, name: str) -> None:
        """Forget the index of a field.

        Raises:
            NotFoundError: it is not indexed.
        """
        self._transport.send(drop_field_call(name))

    def ready(self) -> bool:
        """Return whether the service can answer now."""
        return self._why_not_ready() is None

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the service can answer.

        Raises:
            NotReadyError: it could not within ``timeout_s``; the message says why.
        """
        deadline = time.monotonic() + timeout_s
        while (reason := self._why_not_ready()) is not None:
            if time.monotonic() >= deadline:
                raise NotReadyError(
                    f"{self.url} was not ready after {timeout_s:g} s: {reason}"
                ) from reason
            time.sleep(SECONDS_BETWEEN_PROBES)

    def _why_not_ready(self) -> NotReadyError | ServerError | None:
        try:
            self._transport.send(ready_call())
        except (NotReadyError, ServerError) as error:
            return error
        return None
