"""Rate limits by token bucket: a steady rate, and a burst after a quiet time.

A bucket holds at most ``burst`` tokens, each request takes one, and ``rate`` tokens come back a
second. Source of the scheme: ITU-T I.371, the generic cell rate algorithm in its bucket form.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

KEPT_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens of one client at one moment."""

    tokens: float
    """Requests that may come at once."""
    at: float
    """The moment, in seconds of any clock that does not go back."""


def take(bucket: Bucket, *, now: float, rate: float, burst: float) -> tuple[Bucket, float]:
    """Take one token, or find out how long it takes until there is one.

    Args:
        bucket: as the last call returned it.
        now: seconds of the same clock.
        rate: tokens that come back a second, above 0.
        burst: most tokens of a bucket, at least 1.

    Returns:
        The bucket after the request, and the seconds to wait; 0: the request may go on.
    """
    tokens = min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate)
    if tokens >= 1.0:
        return Bucket(tokens - 1.0, now), 0.0
    return Bucket(tokens, now), (1.0 - tokens) / rate


class RateLimiter:
    """One bucket for each client; safe to use from any thread."""

    def __init__(self, *, burst: int, kept: int = KEPT_BUCKETS) -> None:
        """Let ``burst`` requests come at once; remember at most ``kept`` clients."""
        self._burst = burst
        self._kept = kept
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, client: str, *, rate: float, now: float) -> float:
        """Count a request and return the seconds that its client has to wait; 0: none."""
        burst = max(1.0, float(self._burst))
        with self._lock:
            bucket = self._buckets.pop(client, None) or Bucket(burst, now)
            self._buckets[client], wait = take(bucket, now=now, rate=rate, burst=burst)
            # Whoever was not heard of for longest has had the time to fill a bucket again.
            if len(self._buckets) > self._kept:
                self._buckets.popitem(last=False)
        return wait
