"""Threads that work for requests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from core.errors import DeadlineError, QueryError
from service.request_scope import CURRENT_SCOPE, RequestScope
from service.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Return a pool of one thread."""
    pool = Workers(1)
    yield pool
    pool.close()


def scope(timeout_s: float = 60) -> RequestScope:
    """Return a request."""
    return RequestScope("test", expires_at=time.monotonic() + timeout_s, timeout_s=timeout_s)


def test_work_happens_in_another_thread_and_knows_its_request(workers: Workers) -> None:
    """Arguments go in, the result comes out, the event loop stays free."""

    def work(number: int, *, twice: bool) -> tuple[int, str, str]:
        request = CURRENT_SCOPE.get()
        assert request is not None
        return number * 2 if twice else number, request.request_id, threading.current_thread().name

    async def ask() -> tuple[int, str, str]:
        CURRENT_SCOPE.set(scope())
        return await workers.run(work, 4, twice=True)

    number, request_id, thread = asyncio.run(ask())
    assert (number, request_id) == (8, "test")
    assert thread.startswith("request")


def test_an_error_of_the_work_is_the_callers(workers: Workers) -> None:
    """What a thread raises arrives where it was awaited."""

    def work() -> None:
        raise QueryError("no")

    with pytest.raises(QueryError, match="no"):
        asyncio.run(workers.run(work))


def test_work_that_nobody_waits_for_is_not_begun(workers: Workers) -> None:
    """A request whose time ended in the line costs no thread."""
    begun = threading.Event()

    async def ask() -> None:
        CURRENT_SCOPE.set(scope(timeout_s=0))
        await workers.run(begun.set)

    with pytest.raises(DeadlineError):
        asyncio.run(ask())
    assert not begun.is_set()
