"""The latch: opened once, by any thread, for threads and tasks."""

from __future__ import annotations

import asyncio
import threading

import pytest

from service.latch import Latch
from tests.service.observing import PATIENCE_S


def test_a_thread_waits_until_it_opens() -> None:
    """Closed at first; it says so when the time is over."""
    latch = Latch()
    assert not latch.wait(0)
    assert not latch.is_open()

    opener = threading.Thread(target=latch.open)
    opener.start()
    assert latch.wait(PATIENCE_S)
    opener.join()
    assert latch.is_open()


def test_tasks_wait_until_a_thread_opens_it() -> None:
    """All of them go on, and one that comes later does not wait at all."""
    latch = Latch()

    async def wait() -> list[None]:
        waiting = [asyncio.create_task(latch.opened()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        threading.Thread(target=latch.open).start()
        async with asyncio.timeout(PATIENCE_S):
            found = await asyncio.gather(*waiting)
            await latch.opened()
        return found

    assert asyncio.run(wait()) == [None] * 3


def test_a_task_that_has_left_is_not_missed() -> None:
    """Whoever waits beside a cancelled task goes on all the same."""
    latch = Latch()

    async def wait() -> None:
        leaving = asyncio.create_task(latch.opened())
        staying = asyncio.create_task(latch.opened())
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        latch.open()
        latch.open()
        async with asyncio.timeout(PATIENCE_S):
            await staying

    asyncio.run(wait())


def test_it_opens_after_the_loop_of_a_waiting_task_has_ended() -> None:
    """The thread that opens it must not fail for somebody who is gone."""
    latch = Latch()

    async def leave() -> None:
        waiting = asyncio.create_task(latch.opened())
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    latch.open()

    assert latch.is_open()
