"""The client of a Sightline service for an event loop: the methods of `Client`, to be awaited.

    async with AsyncClient("http://127.0.0.1:8000") as client:
        answer = await client.search("a red car -toy")

A call that is cancelled leaves no connection behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from core.errors import NotReadyError, ServerError
from core.types import FloatArray, JSONObject
from sightline.adding import Addable, AddLimits, AddProgress
from sightline.answers import FieldUse, Gallery, Hit, ItemResult, Model, SearchAnswer
from sightline.call import check_address
from sightline.client import SEARCH_PAGE, SECONDS_BETWEEN_PROBES
from sightline.images import ImageLike
from sightline.items import AsyncItems
from sightline.judgements import AsyncJudgements
from sightline.label_answers import ClassifyAnswer, Labels
from sightline.label_calls import LabelRequest, classify_call
from sightline.label_sets import AsyncLabelSets
from sightline.query import Term
from sightline.retries import RetryRule
from sightline.search_calls import Mode, embed_images_call, embed_texts_call, search_call
from sightline.sending import AsyncBatchSender
from sightline.server_calls import (
    drop_field_call,
    fields_call,
    gallery_call,
    index_field_call,
    models_call,
    ready_call,
)
from sightline.transport import AsyncTransport, Connection


class AsyncClient:
    """A service and its gallery; close it, or use it in an ``async with``."""

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
        self._transport = AsyncTransport(connection.open_async(), retries or RetryRule())
        self.items = AsyncItems(self._transport)
        self.label_sets = AsyncLabelSets(self._transport)
        self.judgements = AsyncJudgements(self._transport)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client can no longer be used."""
        await self._transport.close()

    async def search(
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
        call = await asyncio.to_thread(
            search_call,
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
        return await self._transport.send(call)

    async def search_all(
        self,
        query: str | Sequence[Term] | None = None,
        *,
        images: Sequence[ImageLike] = (),
        filter: JSONObject | None = None,
        min_confidence: float | None = None,
        mode: Mode = "vector",
        page: int = SEARCH_PAGE,
    ) -> AsyncIterator[Hit]:
        """Yield every hit, best first, page by page; stop taking them when you have enough."""
        cursor: str | None = None
        while True:
            answer = await self.search(
                query,
                images=images,
                k=page,
                filter=filter,
                cursor=cursor,
                min_confidence=min_confidence,
                mode=mode,
            )
            for hit in answer.hits:
                yield hit
            cursor = answer.cursor
            if cursor is None:
                return

    async def classify(self, image: ImageLike, labels: Sequence[str] | LabelRequest) -> Labels:
        """Return which of the labels fit an image; a `LabelRequest` says more than a list.

        Raises:
            SightlineError: the image or the labels cannot be used.
        """
        (found,) = (await self.classify_many([image], labels)).results
        return found

    async def classify_many(
        self,
        images: Sequence[ImageLike],
        labels: Sequence[str] | LabelRequest,
        *,
        image_ids: Sequence[str] = (),
    ) -> ClassifyAnswer:
        """Return the labels of images and of items, in this order; a bad one harms no other."""
        call = await asyncio.to_thread(classify_call, images, image_ids, labels)
        return await self._transport.send(call)

    async def embed_texts(
        self, texts: Sequence[str], *, dimensions: int | None = None
    ) -> FloatArray:
        """Return unit vectors (N, D) of texts; ``dimensions`` keeps the first n numbers."""
        return await self._transport.send(embed_texts_call(texts, dimensions=dimensions))

    async def embed_images(
        self, images: Sequence[ImageLike], *, dimensions: int | None = None
    ) -> FloatArray:
        """Return unit vectors (N, D) of images; a bad one fails the whole request."""
        call = await asyncio.to_thread(embed_images_call, images, dimensions=dimensions)
        return await self._transport.send(call)

    async def add(
        self,
        items: Iterable[Addable],
        *,
        limits: AddLimits | None = None,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> list[ItemResult]:
        """Add images and return what became of each, in order; see :meth:`add_stream`."""
        stream = self.add_stream(items, limits=limits, progress=progress)
        async with aclosing(stream) as results:
            return [result async for result in results]

    async def add_stream(
        self,
        items: Iterable[Addable],
        *,
        limits: AddLimits | None = None,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> AsyncGenerator[ItemResult, None]:
        """Add images in batches and yield what became of each, in order, as it is known.

        Nothing is sent before the first result is asked for. Images are read when their batch is
        sent, so a million files take the memory of a few batches. A result with a status other
        than ``error`` is durable and searchable.

        Raises:
            SightlineError: the service could not be reached, or takes nothing now. What was
                yielded is stored; adding the same again answers ``unchanged`` for what is there.
        """
        done = AddProgress()
        sender = AsyncBatchSender(self._transport, limits or AddLimits())
        async with aclosing(sender.results(items)) as answered:
            async for results in answered:
                done.count(results)
                if progress is not None:
                    progress(done)
                for result in results:
                    yield result

    async def gallery(self) -> Gallery:
        """Return what the service holds."""
        return await self._transport.send(gallery_call())

    async def models(self) -> tuple[Model, ...]:
        """Return the models that the service runs."""
        return await self._transport.send(models_call())

    async def fields(self) -> tuple[FieldUse, ...]:
        """Return the metadata fields, how many items have them, and which are indexed."""
        return await self._transport.send(fields_call())

    async def index_field(self, name: str) -> bool:
        """Index a field, and return whether it was not; dots lead into nested objects."""
        return await self._transport.send(index_field_call(name))

    async def drop_field(self, name: str) -> None:
        """Forget the index of a field.

        Raises:
            NotFoundError: it is not indexed.
        """
        await self._transport.send(drop_field_call(name))

    async def ready(self) -> bool:
        """Return whether the service can answer now."""
        return await self._why_not_ready() is None

    async def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the service can answer.

        Raises:
            NotReadyError: it could not within ``timeout_s``; the message says why.
        """
        deadline = time.monotonic() + timeout_s
        while (reason := await self._why_not_ready()) is not None:
            if time.monotonic() >= deadline:
                raise NotReadyError(
                    f"{self.url} was not ready after {timeout_s:g} s: {reason}"
                ) from reason
            await asyncio.sleep(SECONDS_BETWEEN_PROBES)

    async def _why_not_ready(self) -> NotReadyError | ServerError | None:
        try:
            await self._transport.send(ready_call())
        except (NotReadyError, ServerError) as error:
            return error
        return None
