"""Traces sent to a collector by OTLP over HTTP, in a thread of their own.

This module alone imports OpenTelemetry (the extra ``otel``), and is imported only where traces are
on. A span holds times, names of the code, status and request id: no query, no id of an item.
"""

from __future__ import annotations

import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import Tracer as OpenTelemetryTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.tracing import Headers

_PATH = "/v1/traces"
_SEND_S = 5.0
"""Seconds for one batch of spans; a dead collector must not hold up the end of the service."""
_CARRIED = frozenset({b"traceparent", b"tracestate"})
_SERVER_ERROR = 500


class OTLPTracer:
    """Makes spans and sends them in batches; a slow collector costs spans, never requests."""

    def __init__(self, endpoint: str, *, ratio: float) -> None:
        """Send to ``endpoint``, for example ``http://127.0.0.1:4318``.

        ``ratio`` of the traces that begin here are kept; those that began elsewhere are kept where
        their ``traceparent`` says so.
        """
        base = endpoint.rstrip("/")
        exporter = OTLPSpanExporter(
            endpoint=base if base.endswith(_PATH) else base + _PATH, timeout=_SEND_S
        )
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: "sightline"}),
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            # What ends this process is the business of the server.
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sightline")
        self._propagator = TraceContextTextMapPropagator()
        # Stages are timed by the monotonic clock, spans by that of the calendar.
        self._epoch_ns = time.time_ns() - time.monotonic_ns()

    def begin(self, headers: Headers) -> OTLPTrace:
        """Return the trace of a request that has just arrived."""
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name in _CARRIED
        }
        span = self._tracer.start_span(
            "request",
            context=self._propagator.extract(carrier) if carrier else None,
            kind=SpanKind.SERVER,
            start_time=self._epoch_ns + time.monotonic_ns(),
        )
        return OTLPTrace(self._tracer, span, epoch_ns=self._epoch_ns)

    def close(self) -> None:
        """Send what is left and end the thread."""
        self._provider.shutdown()


class OTLPTrace:
    """The span of one request, with a child for each stage; any thread may add one."""

    def __init__(self, tracer: OpenTelemetryTracer, span: Span, *, epoch_ns: int) -> None:
        """Take over a span that has begun."""
        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span)
        self._is_kept = span.is_recording()
        self._epoch_ns = epoch_ns

    @property
    def trace_id(self) -> str:
        """The id of the whole trace, 32 hex digits."""
        return format(self._span.get_span_context().trace_id, "032x")

    def add_stage(self, stage: str, begun_s: float, took_s: float) -> None:
        """Add a stage as a child span."""
        if not self._is_kept:
            return
        begun_ns = self._epoch_ns + round(begun_s * 1e9)
        child = self._tracer.start_span(stage, context=self._context, start_time=begun_ns)
        child.end(begun_ns + round(took_s * 1e9))

    def finish(self, *, method: str, route: str, status: int, request_id: str) -> None:
        """End the span of the request; names follow OpenTelemetry's conventions for HTTP."""
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "sightline.request_id": request_id,
            }
        )
        if status >= _SERVER_ERROR:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(self._epoch_ns + time.monotonic_ns())
