"""Work done ahead by threads and handed out in order, so that stages of bulk work overlap."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_AHEAD_PER_WORKER = 2
_END = object()


@dataclass(frozen=True)
class MemoryBound(Generic[ItemT]):
    """How much the results that wait may hold together."""

    size_of: Callable[[ItemT], int]
    """Bytes that the result of an item will hold."""
    most_bytes: int
    """At most; a single result that is larger is made when no other waits."""


def prefetched(
    make: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    *,
    workers: int,
    ahead: int | None = None,
    memory: MemoryBound[ItemT] | None = None,
) -> Generator[ResultT]:
    """Yield ``make(item)`` for each item in order, while the next ones are being made.

    Pillow and NumPy release the interpreter lock in their loops, so threads overlap with other
    work and need no copies between processes. An error in ``make`` is raised at its item's place.

    Args:
        make: called in a thread.
        items: read in the caller's thread, no further than is made ahead.
        workers: threads; with 0 each item is made when it is asked for.
        ahead: results that are made or wait besides the one asked for; default: two per worker.
        memory: bounds them by what they hold too.
    """
    if workers == 0:
        yield from map(make, items)
        return
    most = _AHEAD_PER_WORKER * workers if ahead is None else ahead
    most_bytes = math.inf if memory is None else memory.most_bytes
    waiting: deque[tuple[int, Future[ResultT]]] = deque()
    executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="prefetch")
    held = 0
    try:
        for item in items:
            size = 0 if memory is None else memory.size_of(item)
            while waiting and (len(waiting) > most or held + size > most_bytes):
                freed, result = waiting.popleft()
                held -= freed
                yield result.result()
            waiting.append((size, executor.submit(make, item)))
            held += size
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def batched(
    items: Iterable[ItemT], *, most: int, memory: MemoryBound[ItemT] | None = None
) -> Generator[list[ItemT]]:
    """Yield lists of at most ``most`` items that hold no more than allowed together."""
    batch: list[ItemT] = []
    held = 0
    for item in items:
        size = 0 if memory is None else memory.size_of(item)
        if batch and memory is not None and held + size > memory.most_bytes:
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += size
        if len(batch) == most:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def run_ahead(source: Generator[ItemT], *, ahead: int = 1) -> Generator[ItemT]:
    """Yield what ``source`` yields while a thread of its own runs it, ``ahead`` steps further.

    Closing waits for the step that is being made, and closes ``source``.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")

    def step() -> Future[ItemT | object]:
        return executor.submit(next, source, _END)

    waiting = deque(step() for _ in range(ahead))
    try:
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(step())
            yield item  # type: ignore[misc]  # it is no _END
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        source.close()
