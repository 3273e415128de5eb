"""Threads that take pieces of one short piece of work, as long as that makes it end sooner.

Whether it does depends on what else the machine does and on how much of its cores this process may
use, so it is measured: both ways are tried again and again, and the quicker one is used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

ResultT = TypeVar("ResultT")

_TRIED_EVERY = 64
"""Runs after which the slower way is tried once."""
_WEIGHT = 0.25
"""Of the latest run in the time of the way that is used."""
_PATIENCE_S = 0.001
"""Seconds for the last piece of a helper; one that lost its core would take much longer."""


class ScanHelpers:
    """Runs the pieces of one work at a time in several threads; any thread may call it."""

    def __init__(
        self,
        threads: int,
        *,
        prepare: Callable[[], None],
        always: bool = False,
    ) -> None:
        """Have up to ``threads`` threads beside the calling one.

        Args:
            threads: 0 for none.
            prepare: called once in each of them.
            always: ask them every time, whether it pays or not.
        """
        self._threads = threads
        self._prepare = prepare
        self._always = always
        self._pool: ThreadPoolExecutor | None = None
        self._running = 0
        self._runs = 0
        self._took_s = {False: 0.0, True: 0.0}
        """Of one run, without and with helpers; 0 before the first."""
        self._lock = threading.Lock()

    def run(self, piece: Callable[[int], ResultT], count: int) -> list[ResultT]:
        """Return what ``piece`` returns for 0 to ``count`` - 1. It may be called twice for one."""
        found: dict[int, ResultT] = {}
        left = iter(range(count))

        def take_pieces() -> None:
            # No two threads get the same one: taking the next is a single step of the interpreter.
            for place in left:
                found[place] = piece(place)

        begun_s = time.perf_counter()
        helped = self._begin(count)
        helpers = [self._submit(take_pieces) for _ in range(helped)]
        try:
            take_pieces()
        finally:
            at_work = [helper for helper in helpers if not helper.cancel()]
            with self._lock:
                self._running -= 1
        if len(found) < count:
            wait(at_work, timeout=_PATIENCE_S)
        # What a helper failed on, or has not finished, is done here.
        results = [found[place] if place in found else piece(place) for place in range(count)]
        self._note(helped > 0, time.perf_counter() - begun_s)
        return results

    def _begin(self, count: int) -> int:
        """Return how many helpers to ask: none where others run, who keep the cores busy."""
        most = min(self._threads, count - 1)
        with self._lock:
            self._running += 1
            if self._running > 1 or most < 1:
                return 0
            self._runs += 1
            pays = self._took_s[True] <= self._took_s[False]
            if self._runs % _TRIED_EVERY == 0:
                pays = not pays
            return most if pays or self._always else 0

    def _note(self, helped: bool, took_s: float) -> None:  # noqa: FBT001 - the way it was done
        with self._lock:
            if self._running:
                return
            before_s, other_s = self._took_s[helped], self._took_s[not helped]
            # A way that lost is judged by its latest try alone, for it is seldom tried.
            is_first = before_s == 0.0 or before_s > other_s
            weight = 1.0 if is_first else _WEIGHT
            self._took_s[helped] = before_s + weight * (took_s - before_s)

    def _submit(self, work: Callable[[], None]) -> Future[None]:
        with self._lock:
            if self._pool is None:
                # Opened by the first run: threads from before a fork are lost in the child.
                self._pool = ThreadPoolExecutor(
                    self._threads, "scan", initializer=self._prepare, initargs=()
                )
            return self._pool.submit(work)
