"""Batches prepared ahead by threads, handed out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_AHEAD_PER_WORKER = 2


def prefetched(
    make: Callable[[ItemT], ResultT], items: Iterable[ItemT], *, workers: int
) -> Generator[ResultT]:
    """Yield ``make(item)`` for each item in order, up to two per worker being made ahead.

    With 0 workers each is made when it is asked for. Pillow and NumPy release the interpreter lock
    in their loops, so threads overlap with training and need no copies between processes. An error
    in ``make`` is raised at its item's place.
    """
    if workers == 0:
        yield from map(make, items)
        return
    source = iter(items)
    waiting: deque[Future[ResultT]] = deque()
    executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="batches")
    try:
        for item in source:
            waiting.append(executor.submit(make, item))
            if len(waiting) > _AHEAD_PER_WORKER * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
