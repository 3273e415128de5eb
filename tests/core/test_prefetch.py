"""Rules of preparing batches ahead."""

from __future__ import annotations

import threading

import pytest

from core.prefetch import prefetched


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
    results = prefetched(lambda item: item, range(100), workers=2)
    next(results)

    results.close()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]
