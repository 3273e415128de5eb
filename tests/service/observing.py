"""What tests of the lanes share: an observer that keeps what it is told, and patience."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import httpx

PATIENCE_S = 60.0
"""How long a test waits for another thread; only a broken one takes so long."""


class KeepingObserver:
    """Keeps what the lanes and the inference thread say."""

    def __init__(self) -> None:
        """Start empty."""
        self.batches: list[tuple[str, int]] = []
        self.waited: list[tuple[str, str]] = []
        self.skipped: Counter[str] = Counter()
        self.bisected: Counter[str] = Counter()

    def batch_done(self, lane: str, *, size: int, took_s: float) -> None:
        """Note lane and size."""
        assert took_s >= 0
        self.batches.append((lane, size))

    def job_waited(self, lane: str, priority: str, waited_s: float) -> None:
        """Note lane and priority."""
        assert waited_s >= 0
        self.waited.append((lane, priority))

    def inputs_skipped(self, lane: str, count: int) -> None:
        """Count."""
        self.skipped[lane] += count

    def batch_bisected(self, lane: str) -> None:
        """Count."""
        self.bisected[lane] += 1


def wait_until_ready(client: httpx.Client) -> None:
    """Wait until a service says that it is ready: on a busy machine its canary may be late once."""
    wait_until(lambda: client.get("/readyz").status_code == 200)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a thread to get somewhere."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
