"""Threads for what would block the event loop: decoding, model calls, SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from service.request_scope import CURRENT_SCOPE

ParamsT = ParamSpec("ParamsT")
ResultT = TypeVar("ResultT")


class Workers:
    """A bounded pool of threads that work for requests."""

    def __init__(self, threads: int) -> None:
        """Use at most ``threads`` threads; they start when they are needed."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def run(
        self, function: Callable[ParamsT, ResultT], *args: ParamsT.args, **kwargs: ParamsT.kwargs
    ) -> ResultT:
        """Call ``function`` in a thread that knows the current request.

        A cancelled request stops waiting at once; a call that has begun runs to its end, so that a
        write is never left half-done.

        Raises:
            DeadlineError: the time of the request ended before a thread was free.
        """
        context = copy_context()

        def work() -> ResultT:
            scope = context.get(CURRENT_SCOPE)
            if scope is not None:
                scope.check()
            return context.run(function, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what runs and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
