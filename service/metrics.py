"""Prometheus metrics of one service; each app has a registry of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """What the service counts; ``render`` is the answer of ``GET /metrics``."""

    def __init__(self) -> None:
        """Register every metric, so that each is present (as zero) from the start."""
        self._registry = registry = CollectorRegistry()
        # prometheus_client guards single values, not a whole scrape with callbacks.
        self._scrape = threading.Lock()
        self._requests = Counter(
            "sightline_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "sightline_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "sightline_requests_in_flight", "Requests being worked on.", registry=registry
        )
        self._stage_seconds = Histogram(
            "sightline_stage_seconds",
            "Time of one stage: decode (an image), search, add, classify, build_classifier.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_size = Histogram(
            "sightline_batch_size",
            "Inputs of one model call.",
            ["lane"],
            buckets=_SIZES,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "sightline_batch_seconds",
            "Time of one model call.",
            ["lane"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue_seconds = Histogram(
            "sightline_queue_seconds",
            "Time that the oldest input of a batch waited for the model.",
            ["lane"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._rejections = Counter(
            "sightline_rejections",
            "Requests refused, by the code of the error.",
            ["code"],
            registry=registry,
        )

    def batch_done(self, lane: str, *, size: int, took_s: float, waited_s: float) -> None:
        """Note one model call."""
        self._batch_size.labels(lane).observe(size)
        self._batch_seconds.labels(lane).observe(took_s)
        self._queue_seconds.labels(lane).observe(waited_s)

    def stage_done(self, stage: str, took_s: float) -> None:
        """Note the time of one stage of a request."""
        self._stage_seconds.labels(stage).observe(took_s)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long the block took, also when it fails."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.stage_done(stage, time.monotonic() - started)

    def request_begun(self) -> None:
        """Count a request in flight."""
        self._in_flight.inc()

    def request_done(self, method: str, route: str, status: int, took_s: float) -> None:
        """Note an answered request; ``route`` is the pattern, never the client's path."""
        self._in_flight.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(took_s)

    def rejected(self, code: str) -> None:
        """Note a refused request or image by the code of its error."""
        self._rejections.labels(code).inc()

    def add_gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Publish a number that is read at each scrape."""
        Gauge(f"sightline_{name}", help_text, registry=self._registry).set_function(read)

    def render(self) -> bytes:
        """Return the text exposition of all metrics."""
        with self._scrape:
            return generate_latest(self._registry)
