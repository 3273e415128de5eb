"""Rules of working ahead: in order, bounded, and without threads that are left behind."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from core.prefetch import MemoryBound, batched, prefetched, run_ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_order_is_kept(workers: int) -> None:
    """However many workers there are, results come in order."""
    assert list(prefetched(lambda item: item * 2, range(20), workers=workers)) == [
        item * 2 for item in range(20)
    ]


def test_only_a_few_are_made_ahead() -> None:
    """A long data set is not prepared all at once: two per worker wait at most."""
    made: list[int] = []
    results = prefetched(made.append, range(100), workers=1)

    next(results)

    assert len(made) <= 4
    results.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_at_its_place(workers: int) -> None:
    """Results before the failing one are still handed out."""
    results = prefetched(lambda item: 1 // (item - 2), [0, 1, 2, 3], workers=workers)

    assert next(results) == -1
    assert next(results) == -1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_ends_the_threads() -> None:
    """A run that stops early leaves no worker behind."""
    before = set(threading.enumerate())
    results = prefetched(lambda item: item, range(100), workers=2)
    next(results)

    results.close()

    assert set(threading.enumerate()) <= before


def test_what_waits_holds_no_more_than_allowed() -> None:
    """Items of 10 bytes with 25 allowed: two are made at a time, however many may be ahead."""
    begun: list[int] = []
    memory = MemoryBound[int](lambda _: 10, 25)
    results = prefetched(begun.append, range(100), workers=4, ahead=50, memory=memory)

    for taken in range(1, 50):
        next(results)
        assert len(begun) <= taken + 2
    results.close()


def test_a_result_beyond_the_bound_is_made_when_no_other_waits() -> None:
    """It could never be made otherwise."""
    memory = MemoryBound[int](lambda size: size, 5)
    results = prefetched(lambda size: size, [3, 90, 2, 2], workers=2, ahead=50, memory=memory)

    assert list(results) == [3, 90, 2, 2]


def test_batches_are_cut_by_number_and_by_bytes() -> None:
    """Three items or ten bytes; one that is larger alone is a batch of its own."""
    sizes = [1, 1, 1, 1, 5, 5, 20, 4]
    memory = MemoryBound[int](lambda size: size, 10)

    assert list(batched(sizes, most=3, memory=memory)) == [[1, 1, 1], [1, 5], [5], [20], [4]]
    assert list(batched([], most=3)) == []


def test_a_source_runs_one_step_ahead_of_who_reads_it() -> None:
    """The second step is made while the first is in use, and the third is not begun."""
    begun: list[int] = []
    second = threading.Event()

    def source() -> Generator[int]:
        for number in range(9):
            begun.append(number)
            if number == 1:
                second.set()
            yield number

    results = run_ahead(source())

    assert next(results) == 0
    assert second.wait(60)
    assert begun == [0, 1]
    assert list(results) == list(range(1, 9))


def test_an_error_of_the_source_comes_at_its_place() -> None:
    """What it yielded before is handed out."""

    def source() -> Generator[int]:
        yield 1
        raise ValueError("broken")

    results = run_ahead(source())

    assert next(results) == 1
    with pytest.raises(ValueError, match="broken"):
        next(results)


def test_closing_ends_the_source_and_its_thread() -> None:
    """A source that holds threads or files of its own lets go of them."""
    closed = threading.Event()

    def source() -> Generator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    before = set(threading.enumerate())
    results = run_ahead(source())
    next(results)

    results.close()

    assert closed.is_set()
    assert set(threading.enumerate()) <= before
