"""Traces of requests for OpenTelemetry: off, and nothing imported, unless an endpoint is set."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Protocol

from core.errors import ConfigError
from service.request_scope import StageTrace
from service.settings import Settings

Headers = Iterable[tuple[bytes, bytes]]
"""Headers of a request as ASGI has them."""


class Trace(StageTrace, Protocol):
    """The trace of one request."""

    @property
    def trace_id(self) -> str:
        """The id of the whole trace, 32 hex digits."""
        ...

    def finish(self, *, method: str, route: str, status: int, request_id: str) -> None:
        """End it; ``route`` is the pattern, never the client's path."""
        ...


class Tracer(Protocol):
    """Makes the traces of one service."""

    def begin(self, headers: Headers) -> Trace:
        """Return the trace of a request, a part of the one that its ``traceparent`` names."""
        ...

    def close(self) -> None:
        """Send what is left and stop."""
        ...


def check_tracing(settings: Settings) -> None:
    """Refuse a setting that asks for traces where nothing can make them.

    Raises:
        ConfigError: the extra is not installed; the message has the remedy.
    """
    if settings.otlp_endpoint is not None and not _is_installed():
        raise ConfigError(
            f"otlp_endpoint = {settings.otlp_endpoint}: traces need OpenTelemetry; install it with "
            "pip install 'sightline[otel]', or leave the setting out"
        )


def open_tracer(settings: Settings) -> Tracer | None:
    """Return what traces requests, ``None`` where that is off.

    Raises:
        ConfigError: the extra is not installed.
    """
    if settings.otlp_endpoint is None:
        return None
    check_tracing(settings)
    from service.otlp_traces import OTLPTracer

    return OTLPTracer(settings.otlp_endpoint, ratio=settings.trace_ratio)


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
