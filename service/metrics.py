"""Prometheus metrics of one service; each app has a registry of its own."""

from __future__ import annotations

import re
import threading

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from service.index_metrics import IndexMetrics
from service.live_numbers import LiveNumbers
from service.metric_samples import MetricSamples

STAGES = (
    "fetch",
    "decode",
    "search",
    "filter",
    "scan",
    "rescore",
    "words",
    "lookup",
    "add",
    "write",
    "build_classifier",
    "classify",
)
"""Names of the stages of a request, as ``core.timing.timed`` gets them."""

OTHER = "other"
"""Stands for an error code that is not one of ours."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STAGES = "sightline_stage_seconds"
_CODE = re.compile(r"[a-z][a-z_]{0,39}\Z")
_MOST_CODES = 100
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
            "Time of one stage of a request.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._stages = {stage: self._stage_seconds.labels(stage) for stage in STAGES}
        self._codes: set[str] = set()
        self._rejections = Counter(
            "sightline_rejections",
            "Requests refused, by the code of the error.",
            ["code"],
            registry=registry,
        )
        self._images_refused = Counter(
            "sightline_images_refused",
            "Images that could not be decoded, by the code of the error.",
            ["code"],
            registry=registry,
        )
        self._fetches = Counter(
            "sightline_url_fetches",
            "Images loaded by URL: ok, or the code of the error.",
            ["outcome"],
            registry=registry,
        )
        self._register_batches(registry)
        self.index = IndexMetrics(registry)
        self.live = LiveNumbers()
        registry.register(self.live)
        # Memory, CPU time and open files of this process, where the system tells (Linux).
        ProcessCollector(registry=registry)

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
        """Note the time of one stage of a request, one of ``STAGES``."""
        self._stages[stage].observe(took_s)

    def request_begun(self) -> None:
        """Count a request in flight."""
        self._in_flight.inc()

    def request_done(self, method: str, route: str, status: int, took_s: float) -> None:
        """Note an answered request; ``route`` is the pattern, never the client's path."""
        self._in_flight.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(took_s)

    def rejected(self, code: str) -> None:
        """Note a refused request by the code of its error."""
        self._rejections.labels(self._known(code)).inc()

    def image_refused(self, code: str) -> None:
        """Note an image that could not be decoded by the code of its error."""
        self._images_refused.labels(self._known(code)).inc()

    def url_fetched(self, outcome: str) -> None:
        """Note an image by URL: ``ok`` or the code of its error."""
        self._fetches.labels(self._known(outcome)).inc()

    def summary(self) -> str:
        """Return calls and mean time of each stage as lines of text, the slowest first."""
        sums: dict[str, float] = {}
        counts: dict[str, float] = {}
        for sample in next(iter(self._stage_seconds.collect())).samples:
            found = {"_sum": sums, "_count": counts}.get(sample.name.removeprefix(_STAGES))
            if found is not None:
                found[sample.labels["stage"]] = sample.value
        means = {stage: sums[stage] / counts[stage] for stage in counts if counts[stage]}
        if not means:
            return "no request yet\n"
        lines = [
            f"{stage:<20} {int(counts[stage]):>9} {means[stage]:>10.4f}s\n"
            for stage in sorted(means, key=lambda name: -means[name])
        ]
        return "".join([f"{'stage':<20} {'calls':>9} {'mean':>11}\n", *lines])

    def _known(self, code: str) -> str:
        """Return a code fit for a label: a decoder that was taken over may send any."""
        if code not in self._codes:
            if not _CODE.match(code) or len(self._codes) >= _MOST_CODES:
                return OTHER
            self._codes.add(code)
        return code

    def samples(self) -> MetricSamples:
        """Return what all metrics say now."""
        with self._scrape:
            return MetricSamples(self._registry.collect())

    def render(self) -> bytes:
        """Return the text exposition of all metrics."""
        with self._scrape:
            return generate_latest(self._registry)
