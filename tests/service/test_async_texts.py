"""The event loop's way to the model: the rules of the threads' way, without a thread a request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from core.errors import BusyError, EncoderError, NotReadyError
from core.types import FloatArray
from service.batching import BatchLimits, SharedEncoder
from service.vector_cache import VectorCache
from tests.fakes import FakeEncoder
from tests.service.observing import PATIENCE_S, KeepingObserver

T = TypeVar("T")


class GatedTexts(FakeEncoder):
    """Waits at a gate in each call and gives a NaN for a text that asks for it."""

    def __init__(self) -> None:
        """Start with the gate open."""
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[str]] = []

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of the fake encoder."""
        self.batches.append([*texts])
        assert self.gate.wait(PATIENCE_S)
        vectors_ND = super().encode_texts(texts)
        vectors_ND[[text == "nan" for text in texts]] = np.nan
        return vectors_ND


@pytest.fixture
def model() -> GatedTexts:
    """Return the encoder behind the shared one."""
    return GatedTexts()


@pytest.fixture
def shared(model: GatedTexts) -> Iterator[SharedEncoder]:
    """Return a shared encoder with small batches and queues."""
    limits = BatchLimits(max_batch_texts=4, max_queued_texts=6, aging_s=1000.0, timeout_s=1000.0)
    encoder = SharedEncoder(
        model, observer=KeepingObserver(), limits=limits, text_cache=VectorCache(100)
    )
    yield encoder
    model.gate.set()
    encoder.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own, not for ever."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE_S):
            return await work

    return asyncio.run(bounded())


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until a condition holds."""
    while not holds():  # noqa: ASYNC110 - the state belongs to another thread
        await asyncio.sleep(0.001)


async def busy(shared: SharedEncoder, model: GatedTexts) -> asyncio.Task[list[FloatArray]]:
    """Close the gate and return the task whose text the model is at."""
    model.gate.clear()
    task = asyncio.create_task(shared.encode_texts_async(["first"]))
    await until(lambda: model.batches == [["first"]])
    return task


def test_the_numbers_are_those_of_the_encoder(shared: SharedEncoder) -> None:
    """Also for repeated texts, for more of them than a batch holds, and for none."""
    texts = ["a", "b", "a", "c", "d", "e"]

    found = run(shared.encode_texts_async(texts))

    np.testing.assert_array_equal(np.stack(found), FakeEncoder().encode_texts(texts))
    assert run(shared.encode_texts_async([])) == []


def test_threads_and_tasks_share_what_is_remembered(
    shared: SharedEncoder, model: GatedTexts
) -> None:
    """A text is embedded once, whoever asks."""
    shared.encode_texts(["a"])
    (kept_D,) = run(shared.encode_texts_async(["a"]))
    run(shared.encode_texts_async(["b"]))
    shared.encode_texts(["b"])

    assert model.batches == [["a"], ["b"]]
    assert not kept_D.flags.writeable


def test_tasks_that_wait_together_share_a_batch(shared: SharedEncoder, model: GatedTexts) -> None:
    """While the model is busy others queue up, and the next call takes them all."""

    async def ask() -> None:
        first = await busy(shared, model)
        others = [asyncio.create_task(shared.encode_texts_async([name])) for name in "abc"]
        await until(lambda: shared.queued("text") == 3)
        model.gate.set()
        await asyncio.gather(first, *others)

    run(ask())
    assert model.batches == [["first"], ["a", "b", "c"]]


def test_tasks_wait_for_one_that_computes_the_same(
    shared: SharedEncoder, model: GatedTexts
) -> None:
    """A text that is being embedded is not embedded again."""

    async def ask() -> list[list[FloatArray]]:
        first = await busy(shared, model)
        same = asyncio.create_task(shared.encode_texts_async(["first"]))
        await until(lambda: shared.text_cache.hits == 1)
        model.gate.set()
        return [*await asyncio.gather(first, same)]

    found = run(ask())
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert model.batches == [["first"]]


def test_a_cancelled_task_leaves_the_lane_at_once(shared: SharedEncoder, model: GatedTexts) -> None:
    """A client that goes away frees its places; who waited for its text embeds it for itself."""

    async def ask() -> None:
        first = await busy(shared, model)
        leaving = asyncio.create_task(shared.encode_texts_async(["left", "alone"]))
        await until(lambda: shared.queued("text") == 2)
        follower = asyncio.create_task(shared.encode_texts_async(["left"]))
        await until(lambda: shared.text_cache.hits == 1)
        leaving.cancel()
        await until(lambda: shared.queued("text") == 1)
        model.gate.set()
        await asyncio.gather(first, follower)

    run(ask())
    assert model.batches == [["first"], ["left"]]
    assert shared.text_cache._flights == {}


def test_a_bad_text_harms_no_neighbour(shared: SharedEncoder, model: GatedTexts) -> None:
    """Of two requests in one batch only the one with the bad text fails."""

    async def ask() -> list[object]:
        first = await busy(shared, model)
        both = [asyncio.create_task(shared.encode_texts_async([name])) for name in ("nan", "good")]
        await until(lambda: shared.queued("text") == 2)
        model.gate.set()
        await first
        return [*await asyncio.gather(*both, return_exceptions=True)]

    bad, good = run(ask())
    assert isinstance(bad, EncoderError)
    assert isinstance(good, list)


def test_a_full_lane_refuses_the_next_task(shared: SharedEncoder, model: GatedTexts) -> None:
    """The limit of what waits holds for tasks too, and the refused ones leave nothing behind."""

    async def ask() -> None:
        first = await busy(shared, model)
        others = [asyncio.create_task(shared.encode_texts_async([name])) for name in "abcdef"]
        await until(lambda: shared.queued("text") == 6)
        with pytest.raises(BusyError):
            await shared.encode_texts_async(["g"])
        model.gate.set()
        await asyncio.gather(first, *others)

    run(ask())
    assert shared.text_cache._flights == {}


def test_tasks_that_wait_for_a_stuck_model_are_told(
    shared: SharedEncoder, model: GatedTexts
) -> None:
    """What the watchdog fails reaches the tasks, those of the running batch and those behind it."""

    async def ask() -> list[object]:
        first = await busy(shared, model)
        behind = asyncio.create_task(shared.encode_texts_async(["behind"]))
        await until(lambda: shared.queued("text") == 1)
        with shared._inference._wake:
            shared._inference._give_up("stuck")
        return [*await asyncio.gather(first, behind, return_exceptions=True)]

    assert [type(outcome) for outcome in run(ask())] == [NotReadyError, NotReadyError]
