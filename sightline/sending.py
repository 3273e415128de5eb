"""Sending the batches of an ``add``, several at a time, with the results in order."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from core.errors import SightlineError
from sightline.adding import (
    Addable,
    AddLimits,
    NewItem,
    Part,
    add_call,
    batches,
    halves,
    merged,
    parts,
    refused,
)
from sightline.answers import ItemResult
from sightline.transport import AsyncTransport, Transport


class BatchSender:
    """Threads that send batches; stops where it is, with what is under way answered."""

    def __init__(self, transport: Transport, limits: AddLimits) -> None:
        """Send through ``transport``, no more at a time than ``limits`` allow."""
        self._transport, self._limits = transport, limits
        self._stopped = threading.Event()

    def results(self, items: Iterable[Addable]) -> Generator[list[ItemResult], None, None]:
        """Yield the results of one batch after another, in the order of the items.

        Raises:
            SightlineError: a batch that could not be sent; what was yielded is stored.
        """
        under_way: deque[Future[list[ItemResult]]] = deque()
        pool = ThreadPoolExecutor(self._limits.concurrency, thread_name_prefix="sightline-add")
        try:
            for batch in batches(items, self._limits):
                under_way.append(pool.submit(self._send_batch, batch))
                if len(under_way) >= self._limits.concurrency:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            self._stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _send_batch(self, batch: Sequence[NewItem]) -> list[ItemResult]:
        results: list[ItemResult] = []
        for part in parts(batch, self._limits):
            results += self._send_part(part)
        return results

    def _send_part(self, part: Part) -> list[ItemResult]:
        call = add_call(part)
        if call is None:
            return merged(part, [])
        try:
            answered = self._transport.send(call, sleep=self._wait)
        except SightlineError as error:
            smaller = halves(part, error)
            if not smaller:
                return refused(part, error)
        else:
            return merged(part, answered)
        return [result for half in smaller for result in self._send_part(half)]

    def _wait(self, seconds: float) -> bool:
        return not self._stopped.wait(seconds)


class AsyncBatchSender:
    """Tasks that send batches; images are read in threads."""

    def __init__(self, transport: AsyncTransport, limits: AddLimits) -> None:
        """Send through ``transport``, no more at a time than ``limits`` allow."""
        self._transport, self._limits = transport, limits

    async def results(self, items: Iterable[Addable]) -> AsyncGenerator[list[ItemResult], None]:
        """Yield the results of one batch after another, in the order of the items.

        Raises:
            SightlineError: a batch that could not be sent; what was yielded is stored.
        """
        under_way: deque[asyncio.Task[list[ItemResult]]] = deque()
        try:
            for batch in batches(items, self._limits):
                under_way.append(asyncio.create_task(self._send_batch(batch)))
                if len(under_way) >= self._limits.concurrency:
                    yield await under_way[0]
                    under_way.popleft()
            while under_way:
                yield await under_way[0]
                under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _send_batch(self, batch: Sequence[NewItem]) -> list[ItemResult]:
        results: list[ItemResult] = []
        remaining = parts(batch, self._limits)
        while (part := await asyncio.to_thread(next, remaining, None)) is not None:
            results += await self._send_part(part)
        return results

    async def _send_part(self, part: Part) -> list[ItemResult]:
        call = add_call(part)
        if call is None:
            return merged(part, [])
        try:
            answered = await self._transport.send(call)
        except SightlineError as error:
            smaller = halves(part, error)
            if not smaller:
                return refused(part, error)
        else:
            return merged(part, answered)
        return [result for half in smaller for result in await self._send_part(half)]
