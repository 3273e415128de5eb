"""Token buckets, with a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.rates import Bucket, RateLimiter, take


def test_a_burst_then_the_rate() -> None:
    """Three at once, then one every half second."""
    limiter = RateLimiter(burst=3)
    waits = [limiter.wait_s("a", rate=2.0, now=100.0) for _ in range(4)]

    assert waits == [0.0, 0.0, 0.0, 0.5]
    assert limiter.wait_s("a", rate=2.0, now=100.25) == pytest.approx(0.25)
    assert limiter.wait_s("a", rate=2.0, now=100.5) == 0.0
    assert limiter.wait_s("a", rate=2.0, now=100.5) == pytest.approx(0.5)


def test_a_quiet_time_fills_the_bucket_but_not_beyond() -> None:
    """After an hour there are as many tokens as at the start."""
    limiter = RateLimiter(burst=2)
    for now in (0.0, 3600.0):
        assert [limiter.wait_s("a", rate=1.0, now=now) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_clients_do_not_share_a_bucket() -> None:
    """One that is too quick costs the others nothing."""
    limiter = RateLimiter(burst=1)
    assert limiter.wait_s("a", rate=1.0, now=0.0) == 0.0
    assert limiter.wait_s("a", rate=1.0, now=0.0) == 1.0
    assert limiter.wait_s("b", rate=1.0, now=0.0) == 0.0


def test_memory_is_bounded() -> None:
    """The client that was not heard of for longest is forgotten, with a full bucket."""
    limiter = RateLimiter(burst=1, kept=2)
    for client in ("a", "b", "c"):
        assert limiter.wait_s(client, rate=0.001, now=0.0) == 0.0

    assert len(limiter._buckets) == 2
    assert limiter.wait_s("c", rate=0.001, now=0.0) > 0
    assert limiter.wait_s("a", rate=0.001, now=0.0) == 0.0


def test_a_clock_that_stands_still_gives_nothing() -> None:
    """And one that goes back takes nothing away."""
    bucket = Bucket(0.0, 10.0)

    assert take(bucket, now=10.0, rate=1.0, burst=5) == (Bucket(0.0, 10.0), 1.0)
    assert take(bucket, now=9.0, rate=1.0, burst=5)[1] == 1.0


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    steps=st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=60),
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 20),
)
def test_no_pattern_gets_more_than_the_burst_and_the_rate(
    steps: list[float], rate: float, burst: int
) -> None:
    """In any span at most burst + rate x time requests go on; whoever waits as told goes on."""
    bucket, now, passed = Bucket(float(burst), 0.0), 0.0, 0
    for step in steps:
        now += step
        bucket, wait = take(bucket, now=now, rate=rate, burst=burst)
        passed += wait == 0.0
        if wait:
            later, none = take(bucket, now=now + wait * 1.000001, rate=rate, burst=burst)
            assert none == 0.0
            assert later.tokens >= 0.0

    assert passed <= burst + rate * now + 1e-6
