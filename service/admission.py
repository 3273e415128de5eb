"""Pure ASGI middlewares that refuse what is too much: requests, time, bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import BusyError, DeadlineError, NotReadyError, UsageError
from core.types import JSONObject
from service.errors import error_object, error_response
from service.metrics import Metrics
from service.request_scope import CURRENT_SCOPE, deadline_message

UNGUARDED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that answer also when the service is full: they say that it is."""


class Admission:
    """Refuses what is too much before its body is read, and ends what takes too long."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        max_requests: int,
        retry_after_s: int,
        is_draining: Callable[[], bool],
    ) -> None:
        """Let at most ``max_requests`` in at once."""
        self._app = app
        self._metrics = metrics
        self._max_requests = max_requests
        self._retry_after_s = retry_after_s
        self._is_draining = is_draining
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in UNGUARDED:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal()
        if refusal is not None:
            self._metrics.rejected(str(refusal[1]["code"]))
            response = error_response(*refusal, retry_after_s=self._retry_after_s)
            await response(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._with_deadline(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _refusal(self) -> tuple[int, JSONObject] | None:
        if self._is_draining():
            return 503, error_object(NotReadyError("the service is shutting down"))
        if self._in_flight >= self._max_requests:
            message = (
                f"{self._in_flight} requests are in flight, the most this service takes; "
                "try again in a moment"
            )
            return 429, error_object(BusyError(message))
        return None

    async def _with_deadline(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = CURRENT_SCOPE.get()
        assert request is not None
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(request.remaining_s()):
                await self._app(scope, receive, noting_send)
        except TimeoutError:
            request.abandoned = True
            if started:
                raise
            error = DeadlineError(deadline_message(request.timeout_s))
            self._metrics.rejected(error.code)
            await error_response(504, error_object(error))(scope, receive, send)
        finally:
            request.abandoned = True


class BodyLimit:
    """Refuses a body of more than ``max_bytes``, whether or not its length was announced."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        """Wrap ``app``."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            response = error_response(413, error_object(self._error()))
            # The body stays unread, so the connection cannot be used again.
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        read = 0

        async def counting_receive() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise self._error()
            return message

        await self._app(scope, counting_receive, send)

    def _error(self) -> UsageError:
        return UsageError(
            f"the request body has more than the {self._max_bytes} bytes allowed; send fewer or "
            "smaller images, or raise max_body_bytes",
            code="body_too_large",
        )
