"""A latch: it opens once and stays open. Threads and tasks of an event loop may wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


class Latch:
    """Opens once, from any thread; whoever waits, then or later, goes on."""

    __slots__ = ("_lock", "_opened", "_wakers")

    def __init__(self) -> None:
        """Start closed."""
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    def is_open(self) -> bool:
        """Return whether it has been opened."""
        return self._opened.is_set()

    def open(self) -> None:
        """Let all go on that wait; opening it twice is fine."""
        with self._lock:
            self._opened.set()
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def wait(self, timeout_s: float | None) -> bool:
        """Block this thread until it opens; return whether it did within ``timeout_s`` seconds."""
        return self._opened.wait(timeout_s)

    async def opened(self) -> None:
        """Return when it is open; the task that waits may be cancelled at any time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            # A loop that has ended in the meantime has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_finish, future)

        with self._lock:
            if self._opened.is_set():
                return
            self._wakers.append(wake)
        await future


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
