"""The book of what is in flight: requests, cost units and bytes, each with a limit.

All of it is decided when a request arrives, so that a full service says no at once and for nothing.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import BusyError

LONGEST_RETRY_AFTER_S = 60
_WINDOW = 256
"""Finished requests that the measured rate looks back on."""
_LARGEST_SHARE = 0.25
"""Part of the cost limit that one request is charged at most, so that a large one fits beside
others instead of waiting for an empty service."""
_BULK_SHARE = 0.75
"""Part of the cost limit that bulk work may fill: the rest is for people who wait."""


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """How much may be in flight at once."""

    max_requests: int = 256
    """Requests."""
    max_cost: float = 128.0
    """Cost units, see ``service.request_cost``."""
    max_bytes: int = 512 * 2**20
    """Bytes of request bodies, announced or arrived."""
    retry_after_s: int = 1
    """Least number of seconds after which a refused client is asked to return."""


@dataclass(slots=True, eq=False)
class Ticket:
    """The place of one admitted request."""

    cost: float
    bytes: int
    is_open: bool = True
    """Whether the request is still in flight; its threads may outlive it."""


class Backlog:
    """What is in flight, and how fast it gets done; any thread may use it."""

    def __init__(
        self, limits: BacklogLimits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start empty; ``clock`` gives seconds."""
        self.requests = 0
        self.cost = 0.0
        self.bytes = 0
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        # Time with something in flight: a rate over idle time would say nothing of capacity.
        self._busy_s = 0.0
        self._busy_since = 0.0
        self._finished: deque[tuple[float, float]] = deque(maxlen=_WINDOW)

    def admit(self, *, cost: float, size: int, is_bulk: bool = False) -> Ticket:
        """Take a request of an estimated cost and ``size`` announced bytes in.

        A request is always taken into an empty service, however large it is. Bulk work leaves a
        quarter of the cost to searches and labels.

        Raises:
            BusyError: one of the limits is reached.
        """
        limits = self._limits
        cost = self._charged(cost)
        most_cost = limits.max_cost * (_BULK_SHARE if is_bulk else 1.0)
        with self._lock:
            if self.requests >= limits.max_requests:
                raise _busy(f"{self.requests} requests", f"{limits.max_requests}")
            if self.requests and self.cost + cost > most_cost:
                raise _busy(f"work of {self.cost:.1f} images", f"{most_cost:g}")
            if self.requests and self.bytes + size > limits.max_bytes:
                raise _busy(f"{self.bytes} bytes of requests", f"{limits.max_bytes}")
            if not self.requests:
                self._busy_since = self._clock()
            self.requests += 1
            self.cost += cost
            self.bytes += size
        return Ticket(cost, size)

    def correct(self, ticket: Ticket, cost: float) -> None:
        """Replace the estimated cost of a request; it is never refused for that afterwards."""
        cost = self._charged(cost)
        with self._lock:
            if ticket.is_open:
                self.cost += cost - ticket.cost
                ticket.cost = cost

    def grow(self, ticket: Ticket, size: int) -> None:
        """Count bytes of a body that came without a length.

        Raises:
            BusyError: they are too many beside those of the others.
        """
        with self._lock:
            if self.requests > 1 and self.bytes + size > self._limits.max_bytes:
                raise _busy(f"{self.bytes} bytes of requests", f"{self._limits.max_bytes}")
            self.bytes += size
            ticket.bytes += size

    def finish(self, ticket: Ticket) -> None:
        """Free the place of a request."""
        with self._lock:
            ticket.is_open = False
            busy_s = self._busy_time(self._clock())
            self._finished.append((busy_s, ticket.cost))
            self.requests -= 1
            self.cost -= ticket.cost
            self.bytes -= ticket.bytes
            if not self.requests:
                self._busy_s = busy_s
                # Sums of fractions drift; an empty book is exactly empty.
                self.cost = 0.0

    def retry_after_s(self) -> int:
        """Return the whole seconds after which what is in flight now will be done."""
        least = self._limits.retry_after_s
        with self._lock:
            rate = self._rate(self._clock())
            if rate is None:
                return least
            wait_s = math.ceil(self.cost / rate)
        return max(least, min(wait_s, LONGEST_RETRY_AFTER_S))

    def _charged(self, cost: float) -> float:
        return min(cost, self._limits.max_cost * _LARGEST_SHARE)

    def _busy_time(self, now: float) -> float:
        return self._busy_s + (now - self._busy_since if self.requests else 0.0)

    def _rate(self, now: float) -> float | None:
        """Return the cost units that get done in a busy second, ``None`` before it is known."""
        if not self._finished:
            return None
        begun = self._finished[0][0] if len(self._finished) == _WINDOW else 0.0
        done = sum(cost for _, cost in self._finished)
        took_s = self._busy_time(now) - begun
        return done / took_s if took_s > 0 and done > 0 else None


def _busy(found: str, limit: str) -> BusyError:
    return BusyError(
        f"{found} in flight, this service takes at most {limit} at once; try again in a moment"
    )
