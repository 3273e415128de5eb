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
_STAGES = "sightline_stage_seconds"
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
            _STAGES,
            "Time of one stage: decode (an image), search, add, classify, build_classifier.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._rejections = Counter(
            "sightline_rejections",
            "Requests refused, by the code of the error.",
            ["code"],
            registry=registry,
        )
        self._register_batches(registry)

    def _register_batches(self, registry: CollectorRegistry) -> None:
        """Register what the lanes and the inference thread report."""
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
            "Time that the inputs of one request waited for their model call.",
            ["lane", "priority"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._skipped = Counter(
            "sightline_skipped_inputs",
            "Inputs that never reached the model, because nobody waited for them any more.",
            ["lane"],
            registry=registry,
        )
        self._bisections = Counter(
            "sightline_bisections",
            "Batches on which the model failed, halved to find the bad input.",
            ["lane"],
            registry=registry,
        )

    def batch_done(self, lane: str, *, size: int, took_s: float) -> None:
        """Note one model call."""
        self._batch_size.labels(lane).observe(size)
        self._batch_seconds.labels(lane).observe(took_s)

    def job_waited(self, lane: str, priority: str, waited_s: float) -> None:
        """Note how long the inputs of one request waited for their model call."""
        self._queue_seconds.labels(lane, priority).observe(waited_s)

    def inputs_skipped(self, lane: str, count: int) -> None:
        """Count inputs that left the queue because nobody waits for them any more."""
        self._skipped.labels(lane).inc(count)

    def batch_bisected(self, lane: str) -> None:
        """Count a batch on which the model failed."""
        self._bisections.labels(lane).inc()

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

    def summary(self) -> str:
        """Return calls and mean time of each stage as lines of text, the slowest first."""
        sums: dict[str, float] = {}
        counts: dict[str, float] = {}
        for sample in next(iter(self._stage_seconds.collect())).samples:
            found = {"_sum": sums, "_count": counts}.get(sample.name.removeprefix(_STAGES))
            if found is not None:
                found[sample.labels["stage"]] = sample.value
        if not counts:
            return "no request yet\n"
        means = {stage: sums[stage] / counts[stage] for stage in counts if counts[stage]}
        lines = [
            f"{stage:<20} {int(counts[stage]):>9} {means[stage]:>10.4f}s\n"
            for stage in sorted(means, key=lambda name: -means[name])
        ]
        return "".join([f"{'stage':<20} {'calls':>9} {'mean':>11}\n", *lines])

    def render(self) -> bytes:
        """Return the text exposition of all metrics."""
        with self._scrape:
            return generate_latest(self._registry)
