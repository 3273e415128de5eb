"""Rules of helpers: every piece is done, nobody waits for one without a core, and they must pay."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from index.scan_helpers import ScanHelpers

PATIENCE_S = 60.0


def nothing() -> None:
    """Prepare a thread that needs no preparation."""


class Machine:
    """Runs that take as long as a test wants, with and without help."""

    def __init__(self) -> None:
        """Have one helper."""
        self.helpers = ScanHelpers(1, prepare=nothing)

    def run(self, *, alone_s: float, helped_s: float) -> bool:
        """Begin and end a run of two pieces; return whether a helper would have been asked."""
        asked = self.helpers._begin(2) > 0
        self.helpers._running -= 1
        self.helpers._note(asked, helped_s if asked else alone_s)
        return asked


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_piece_is_done_and_stays_in_its_place(threads: int, count: int) -> None:
    """With any number of threads and pieces, over and over."""
    helpers = ScanHelpers(threads, prepare=nothing, always=True)
    for _ in range(20):
        assert helpers.run(lambda place: place * place, count) == [n * n for n in range(count)]


def test_helpers_do_take_pieces() -> None:
    """The caller stays in its first piece until another thread has begun one."""
    helpers = ScanHelpers(1, prepare=nothing, always=True)
    caller, begun = threading.current_thread(), threading.Event()

    def piece(place: int) -> int:
        if threading.current_thread() is caller:
            assert begun.wait(PATIENCE_S)
        else:
            begun.set()
        return place

    assert helpers.run(piece, 2) == [0, 1]


def test_each_helper_is_prepared_once() -> None:
    """Before its first piece, in its own thread."""
    prepared: list[threading.Thread] = []
    helpers = ScanHelpers(
        1, prepare=lambda: prepared.append(threading.current_thread()), always=True
    )
    caller = threading.current_thread()
    for _ in range(3):
        begun = threading.Event()

        def piece(place: int, begun: threading.Event = begun) -> int:
            if threading.current_thread() is caller:
                assert begun.wait(PATIENCE_S)
            else:
                assert threading.current_thread() in prepared
                begun.set()
            return place

        helpers.run(piece, 2)

    assert len(prepared) == 1
    assert caller not in prepared


def test_a_helper_that_gets_no_core_is_not_waited_for() -> None:
    """Its piece is done again, and what it finds in the end harms nobody."""
    helpers = ScanHelpers(1, prepare=nothing, always=True)
    caller, released, held = threading.current_thread(), threading.Event(), threading.Event()

    def piece(place: int) -> int:
        if threading.current_thread() is caller:
            assert held.wait(PATIENCE_S)
        else:
            held.set()
            assert released.wait(PATIENCE_S)
        return place

    try:
        assert helpers.run(piece, 4) == [0, 1, 2, 3]
    finally:
        released.set()


@pytest.mark.parametrize("bad", range(4))
def test_an_error_of_a_piece_reaches_the_caller(bad: int) -> None:
    """Whichever thread met it; the next run works."""
    helpers = ScanHelpers(1, prepare=nothing, always=True)

    def piece(place: int) -> int:
        if place == bad:
            raise MemoryError
        return place

    with pytest.raises(MemoryError):
        helpers.run(piece, 4)

    assert helpers.run(lambda place: place, 4) == [0, 1, 2, 3]


def test_several_runs_at_once_get_their_own_results() -> None:
    """Only one of them has helpers at a time."""
    helpers = ScanHelpers(1, prepare=nothing, always=True)
    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(lambda n: helpers.run(lambda place: (n, place), 3), range(200)))

    assert found == [[(n, place) for place in range(3)] for n in range(200)]


def test_helpers_are_asked_as_long_as_they_pay() -> None:
    """Where they make it slower they are asked once in 64 runs, and again when that has changed."""
    machine = Machine()
    slower = [machine.run(alone_s=1.0, helped_s=4.0) for _ in range(640)]
    quicker = [machine.run(alone_s=1.0, helped_s=0.5) for _ in range(640)]
    slower_again = [machine.run(alone_s=1.0, helped_s=4.0) for _ in range(640)]

    assert 1 <= sum(slower[10:]) <= 10
    assert all(quicker[128 + place] for place in range(500) if (place + 1) % 64)
    assert 1 <= sum(slower_again[64:]) <= 10
