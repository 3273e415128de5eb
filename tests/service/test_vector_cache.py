"""The cache of embeddings: bounded, counted, and never a wrong or a doubled computation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import cast

import numpy as np
import pytest

from core.errors import BusyError, DeadlineError, EncoderError
from core.types import FloatArray
from service.request_scope import CURRENT_SCOPE, Priority, RequestScope
from service.vector_cache import Key, Outcome, VectorCache
from tests.service.observing import PATIENCE_S, wait_until


def vector(value: float) -> FloatArray:
    """Return a small vector."""
    return np.full(4, value, np.float32)


class Source:
    """Computes the vector of a number, notes what it computes, and may be held or fail."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Compute for ``keys``; the second part of each is a number as text."""
        self.keys = keys
        self.calls: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.error: Exception | None = None

    def __call__(self, places: list[int]) -> list[Outcome]:
        """Return the vectors, errors for negative numbers."""
        wanted = [str(self.keys[place][1]) for place in places]
        self.calls.append(wanted)
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return [
            EncoderError("bad") if number.startswith("-") else vector(float(number))
            for number in wanted
        ]


def keys_of(*numbers: int, encoder_id: str = "model") -> list[Key]:
    """Return the keys of numbers."""
    return [(encoder_id, str(number)) for number in numbers]


def fetched(cache: VectorCache, *numbers: int, source: Source | None = None) -> list[float | None]:
    """Fetch numbers and return the first coordinate of each vector, ``None`` for an error."""
    keys = keys_of(*numbers)
    source = source or Source(keys)
    source.keys = keys
    outcomes = cache.fetch(keys, source, at_once=4)
    return [None if isinstance(found, EncoderError) else number_of(found) for found in outcomes]


def number_of(outcome: Outcome) -> float:
    """Return the first coordinate of a vector."""
    return float(cast("FloatArray", outcome)[0])


@contextmanager
def request(priority: Priority, *, timeout_s: float = 1000.0) -> Iterator[RequestScope]:
    """Work for a request of some priority in this thread."""
    scope = RequestScope(
        "test", expires_at=time.monotonic() + timeout_s, timeout_s=timeout_s, priority=priority
    )
    token = CURRENT_SCOPE.set(scope)
    try:
        yield scope
    finally:
        CURRENT_SCOPE.reset(token)


def held(
    cache: VectorCache, clients: ThreadPoolExecutor, *numbers: int
) -> tuple[Source, Callable[[], list[float | None]]]:
    """Let a thread begin to compute numbers and hold it; return its source and its result."""
    source = Source(keys_of(*numbers))
    source.gate.clear()
    leading = clients.submit(fetched, cache, *numbers, source=source)
    assert source.entered.wait(PATIENCE_S)
    return source, leading.result


def test_the_least_recently_used_vector_is_dropped() -> None:
    """Reading counts as use, and what is dropped is counted."""
    cache = VectorCache(2)
    fetched(cache, 1, 2)
    fetched(cache, 1)
    fetched(cache, 3)
    source = Source([])

    assert fetched(cache, 1, 3, 2, source=source) == [1.0, 3.0, 2.0]
    assert source.calls == [["2"]]
    assert len(cache) == 2
    assert cache.evictions == 2
    assert (cache.hits, cache.misses) == (3, 4)


def test_a_repeated_key_is_computed_once() -> None:
    """Within one request too; the answer has the order of the question."""
    source = Source([])

    assert fetched(VectorCache(9), 1, 2, 1, 1, source=source) == [1.0, 2.0, 1.0, 1.0]
    assert source.calls == [["1", "2"]]


def test_much_is_computed_in_pieces() -> None:
    """No call has more than ``at_once`` keys, so that others wait for little."""
    source = Source([])
    fetched(VectorCache(99), *range(10), source=source)

    assert [len(call) for call in source.calls] == [4, 4, 2]


def test_vectors_of_another_encoder_are_not_mixed_up() -> None:
    """The same text of two encoders has two vectors."""
    cache = VectorCache(4)
    cache.fetch([("one", "a")], lambda _: [vector(1)], at_once=1)

    assert number_of(cache.fetch([("two", "a")], lambda _: [vector(2)], at_once=1)[0]) == 2.0


def test_no_entries_means_no_memory() -> None:
    """A size of 0 switches the memory off."""
    cache = VectorCache(0)
    source = Source([])
    fetched(cache, 1, source=source)
    fetched(cache, 1, source=source)

    assert len(cache) == 0
    assert source.calls == [["1"], ["1"]]


def test_what_is_kept_cannot_be_changed_from_outside() -> None:
    """The cache keeps a copy, and the copy is read-only."""
    cache = VectorCache(1)
    original = vector(1)
    cache.fetch(keys_of(1), lambda _: [original], at_once=1)
    original[:] = 5
    (kept,) = cache.fetch(keys_of(1), lambda _: [vector(9)], at_once=1)

    assert number_of(kept) == 1.0
    with pytest.raises(ValueError, match="read-only"):
        cast("FloatArray", kept)[0] = 7


def test_an_error_is_handed_on_and_not_kept() -> None:
    """The next one who asks tries again; good neighbours are kept."""
    cache = VectorCache(9)
    source = Source([])

    assert fetched(cache, 1, -2, source=source) == [1.0, None]
    assert fetched(cache, 1, -2, source=source) == [1.0, None]
    assert source.calls == [["1", "-2"], ["-2"]]


def test_who_asks_at_the_same_time_waits_for_the_first() -> None:
    """Eight requests for one missing text run the model once."""
    cache = VectorCache(9)
    others = Source([])
    with ThreadPoolExecutor(8) as clients:
        source, result = held(cache, clients, 1)
        waiting = [clients.submit(fetched, cache, 1, source=others) for _ in range(7)]
        wait_until(lambda: cache.hits == 7)
        source.gate.set()

        assert result() == [1.0]
        assert [future.result(PATIENCE_S) for future in waiting] == [[1.0]] * 7
    assert others.calls == []
    assert (cache.hits, cache.misses) == (7, 1)


def test_two_requests_that_want_what_the_other_computes_both_finish() -> None:
    """Each computes its own first and then waits, so they cannot wait for each other."""
    cache = VectorCache(9)
    with ThreadPoolExecutor(2) as clients:
        source, result = held(cache, clients, 1, 2)
        crossing = clients.submit(fetched, cache, 3, 2, 1)
        wait_until(lambda: cache.hits == 2)
        source.gate.set()

        assert result() == [1.0, 2.0]
        assert crossing.result(PATIENCE_S) == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("error", [BusyError("full"), DeadlineError("late"), RuntimeError("bug")])
def test_a_leader_that_fails_does_not_take_others_with_it(error: Exception) -> None:
    """A full queue, a deadline or a defect is the leader's own; the others compute themselves."""
    cache = VectorCache(9)
    others = Source(keys_of(1))
    with ThreadPoolExecutor(3) as clients:
        source, result = held(cache, clients, 1)
        source.error = error
        waiting = [clients.submit(fetched, cache, 1, source=others) for _ in range(2)]
        wait_until(lambda: cache.hits == 2)
        source.gate.set()

        with pytest.raises(type(error)):
            result()
        assert [future.result(PATIENCE_S) for future in waiting] == [[1.0], [1.0]]
    assert fetched(cache, 1) == [1.0]


def test_an_error_of_the_leaders_input_is_found_again_by_each() -> None:
    """Followers of an input that cannot be embedded get an error of their own, and none hangs."""
    cache = VectorCache(9)
    with ThreadPoolExecutor(3) as clients:
        source, result = held(cache, clients, -1)
        waiting = [clients.submit(fetched, cache, -1) for _ in range(2)]
        wait_until(lambda: cache.hits == 2)
        source.gate.set()

        assert result() == [None]
        assert [future.result(PATIENCE_S) for future in waiting] == [[None], [None]]
    assert len(cache) == 0


def test_who_waits_for_another_keeps_its_own_deadline() -> None:
    """A stuck leader costs a follower its deadline, not for ever."""
    cache = VectorCache(9)
    with ThreadPoolExecutor(1) as clients:
        source, result = held(cache, clients, 1)
        with request(Priority.SEARCH, timeout_s=0.01), pytest.raises(DeadlineError):
            fetched(cache, 1)
        source.gate.set()

        assert result() == [1.0]


def test_a_search_does_not_wait_in_the_line_of_bulk_work() -> None:
    """Who is more urgent computes for itself; both get the vector and it is kept once."""
    cache = VectorCache(9)

    def bulk() -> list[float | None]:
        with request(Priority.BULK):
            return fetched(cache, 1, source=source)

    source = Source(keys_of(1))
    source.gate.clear()
    with ThreadPoolExecutor(1) as clients:
        slow = clients.submit(bulk)
        assert source.entered.wait(PATIENCE_S)
        own = Source([])
        with request(Priority.SEARCH):
            assert fetched(cache, 1, source=own) == [1.0]
        assert own.calls == [["1"]]
        source.gate.set()
        assert slow.result(PATIENCE_S) == [1.0]

    assert len(cache) == 1
    assert cache._flights == {}


def test_many_threads_never_get_a_wrong_vector() -> None:
    """Random requests from eight threads through a cache that is too small for them."""
    cache = VectorCache(50)

    def ask(seed: int) -> None:
        for numbers in np.random.default_rng(seed).integers(0, 200, (100, 6)).tolist():
            assert fetched(cache, *numbers) == [float(number) for number in numbers]

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(8)))

    assert len(cache) == 50
    assert cache._flights == {}
