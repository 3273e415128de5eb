"""The book of what is in flight: limits, corrections, and when to come back."""

from __future__ import annotations

import pytest

from core.errors import BusyError
from service.backlog import Backlog, BacklogLimits


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        """Start at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def book(clock: Clock | None = None, **limits: float) -> Backlog:
    """Return an empty book with these limits."""
    return Backlog(BacklogLimits(**limits), clock=clock or Clock())  # type: ignore[arg-type]


def test_each_limit_refuses_with_its_value() -> None:
    """Requests, cost and bytes are counted apart; the message names what is full and the limit."""
    by_count = book(max_requests=1)
    by_cost = book(max_cost=2)
    by_bytes = book(max_bytes=100)
    for backlog in (by_count, by_cost, by_bytes):
        backlog.admit(cost=0.5, size=60)

    with pytest.raises(BusyError, match=r"1 requests in flight.* at most 1 "):
        by_count.admit(cost=0, size=0)
    by_cost.admit(cost=0.5, size=60)
    by_cost.admit(cost=0.5, size=60)
    by_cost.admit(cost=0.5, size=60)
    with pytest.raises(BusyError, match=r"work of 2.0 images in flight.* at most 2 "):
        by_cost.admit(cost=0.1, size=0)
    by_bytes.admit(cost=0.5, size=40)
    with pytest.raises(BusyError, match=r"100 bytes of requests in flight.* at most 100 "):
        by_bytes.admit(cost=0, size=1)


def test_a_finished_request_makes_room() -> None:
    """What was taken in is given back exactly."""
    backlog = book(max_requests=1)
    for _ in range(3):
        ticket = backlog.admit(cost=0.3, size=7)
        assert (backlog.requests, backlog.bytes) == (1, 7)
        backlog.finish(ticket)

    assert (backlog.requests, backlog.cost, backlog.bytes) == (0, 0.0, 0)


def test_an_empty_service_takes_a_request_of_any_size() -> None:
    """Else a request larger than a limit could never be answered."""
    backlog = book(max_cost=1, max_bytes=10)

    assert backlog.admit(cost=50, size=1000).bytes == 1000


def test_one_request_is_charged_a_quarter_at_most() -> None:
    """Four large requests fit; without the bound the second would wait for an empty service."""
    backlog = book(max_cost=100)
    for _ in range(4):
        backlog.admit(cost=1000, size=0)

    assert backlog.cost == 100
    with pytest.raises(BusyError):
        backlog.admit(cost=1, size=0)


def test_bulk_work_leaves_room_for_searches() -> None:
    """Adding items fills three quarters; a search still gets in, more items do not."""
    backlog = book(max_cost=8)
    for _ in range(6):
        backlog.admit(cost=1, size=0, is_bulk=True)

    with pytest.raises(BusyError, match=r"at most 6 "):
        backlog.admit(cost=1, size=0, is_bulk=True)
    backlog.admit(cost=1, size=0)


def test_a_correction_replaces_the_estimate() -> None:
    """The real number of images counts from then on, and it is what is given back."""
    backlog = book(max_cost=100)
    ticket = backlog.admit(cost=1, size=0)
    backlog.correct(ticket, 20)
    assert backlog.cost == 20
    backlog.correct(ticket, 4)
    assert backlog.cost == 4

    backlog.finish(ticket)
    assert backlog.cost == 0


def test_a_correction_after_the_end_changes_nothing() -> None:
    """The thread of a request whose client left may go on a little: its place is free already."""
    backlog = book(max_cost=100)
    ticket, other = backlog.admit(cost=1, size=0), backlog.admit(cost=1, size=0)
    backlog.finish(ticket)
    backlog.correct(ticket, 20)

    assert backlog.cost == 1
    backlog.finish(other)
    assert backlog.cost == 0


def test_a_body_without_a_length_is_counted_as_it_grows() -> None:
    """It may fill an empty service, but not push the others out."""
    backlog = book(max_bytes=100)
    alone = backlog.admit(cost=1, size=0)
    backlog.grow(alone, 150)
    other = backlog.admit(cost=1, size=0) if backlog.bytes <= 100 else None
    assert other is None
    with pytest.raises(BusyError):
        backlog.admit(cost=1, size=1)

    backlog.finish(alone)
    first = backlog.admit(cost=1, size=60)
    second = backlog.admit(cost=1, size=0)
    backlog.grow(second, 40)
    with pytest.raises(BusyError):
        backlog.grow(second, 1)
    backlog.finish(first)
    backlog.finish(second)
    assert backlog.bytes == 0


def test_retry_after_is_the_time_until_the_backlog_is_done() -> None:
    """Ten images took five busy seconds: two a second, so twelve in flight take six."""
    clock = Clock()
    backlog = book(clock, max_cost=1000)
    for _ in range(10):
        ticket = backlog.admit(cost=1, size=0)
        clock.now += 0.5
        backlog.finish(ticket)
    clock.now += 1000  # idle time says nothing of capacity
    for _ in range(12):
        backlog.admit(cost=1, size=0)

    assert backlog.retry_after_s() == 6


def test_retry_after_has_bounds() -> None:
    """Before anything is known, and where little is in flight, it is the setting; never an hour."""
    clock = Clock()
    backlog = book(clock, max_cost=10_000, retry_after_s=3)
    assert backlog.retry_after_s() == 3

    ticket = backlog.admit(cost=1, size=0)
    clock.now += 100
    backlog.finish(ticket)
    assert backlog.retry_after_s() == 3
    for _ in range(10):
        backlog.admit(cost=1, size=0)
    assert backlog.retry_after_s() == 60


def test_the_rate_follows_the_last_requests() -> None:
    """A slow start is forgotten after some hundred requests."""
    clock = Clock()
    backlog = book(clock, max_cost=1000)
    for took_s in [10.0] * 10 + [0.1] * 600:
        ticket = backlog.admit(cost=1, size=0)
        clock.now += took_s
        backlog.finish(ticket)
    for _ in range(100):
        backlog.admit(cost=1, size=0)

    assert backlog.retry_after_s() == 10
