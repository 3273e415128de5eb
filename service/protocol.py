"""The HTTP protocol of one connection: uvicorn's, with limits on the head of a request.

Uvicorn waits without end for a head that never ends, and keeps every byte of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a client may do to a connection before and after the app sees its request."""

    head_timeout_s: float = 10.0
    """Seconds from the first byte (or the connection) to the end of the headers."""
    body_timeout_s: float = 20.0
    """Seconds that the rest of a body gets after its answer was sent."""
    max_head_bytes: int = 64 * 2**10
    """Bytes of the request line and all headers."""
    max_headers: int = 100
    """Number of headers."""


class LimitedProtocol(HttpToolsProtocol):
    """Ends connections whose request comes too slowly or has too large a head."""

    limits = ConnectionLimits()
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: the head must arrive from now on."""
        super().connection_made(transport)
        self._start_timer(self.limits.head_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, as long as the head stays within its limit."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._timer is None:
                self._start_timer(self.limits.head_timeout_s, self._head_is_late)
        super().data_received(data)
        # What came in one piece with the end of the head is body; only a head without end counts.
        if self._in_head and self._head_bytes > self.limits.max_head_bytes:
            self._refuse(b"431 Request Header Fields Too Large", "the headers are too large")

    def on_headers_complete(self) -> None:
        """Hand the request to the app, unless its head is too large."""
        self._in_head, self._in_body = False, True
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.limits.max_head_bytes or len(self.headers) > self.limits.max_headers:
            self._refuse(b"431 Request Header Fields Too Large", "the headers are too large")
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note the end of the body: the next byte begins another head."""
        if not self.transport.is_closing() and self.cycle is not None:
            super().on_message_complete()
        self._in_head, self._in_body, self._head_bytes = True, False, 0
        self._stop_timer()

    def on_body(self, body: bytes) -> None:
        """Pass the body on; that of a refused request has no reader."""
        if self.cycle is not None:
            super().on_body(body)

    def on_response_complete(self) -> None:
        """Give the unread rest of a body some time, then end the connection."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._start_timer(self.limits.body_timeout_s, self.transport.close)

    def _head_is_late(self) -> None:
        if self._head_bytes:
            self._refuse(b"408 Request Timeout", "the headers did not arrive in time")
        else:
            self.transport.close()

    def _refuse(self, status: bytes, message: str) -> None:
        if self.transport.is_closing():
            return
        body = message.encode("ascii")
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close"
        self.transport.write(head % (status, len(body)) + b"\r\n\r\n" + body)
        self.transport.close()

    def _start_timer(self, seconds: float, act: Callable[[], object]) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, act)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def limited_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Return the protocol class with these limits, as uvicorn takes it."""

    class ConfiguredProtocol(LimitedProtocol):
        """The limits of one server."""

    ConfiguredProtocol.limits = limits
    return ConfiguredProtocol
