"""Pure ASGI middleware that lets in what fits, ends what takes too long, drops what nobody awaits.

Everything is decided from the head of a request, before its body is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import BusyError, DeadlineError, NotReadyError
from service.backlog import Backlog, Ticket
from service.errors import error_object, error_response
from service.incoming import Incoming
from service.metrics import Metrics
from service.request_cost import announced_length, estimated_cost, is_bulk
from service.request_scope import CURRENT_SCOPE, RequestScope, deadline_message

UNGUARDED = frozenset({"/healthz", "/readyz", "/metrics", "/v1/health"})
"""Paths that answer also when the service is full: they say that it is."""

_WATCHED_AFTER_S = 0.05
"""A request that takes longer than this is dropped when its client leaves."""
_TOO_MANY = 429
_ALWAYS_CLOSED = frozenset({408, 413})


class Admission:
    """Refuses what is too much, and gives each admitted request its deadline."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        backlog: Backlog,
        body_timeout_s: float,
        is_draining: Callable[[], bool],
    ) -> None:
        """Let in what ``backlog`` has room for."""
        self._app = app
        self._metrics = metrics
        self._backlog = backlog
        self._body_timeout_s = body_timeout_s
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in UNGUARDED:
            await self._app(scope, receive, send)
            return
        length = announced_length(scope)
        if self._is_draining():
            response = self._refusal(NotReadyError("the service is shutting down"), 503)
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        try:
            ticket = self._backlog.admit(
                cost=estimated_cost(scope), size=length or 0, is_bulk=is_bulk(scope)
            )
        except BusyError as error:
            response = self._refusal(error, _TOO_MANY)
            if length is None:
                # A body without an end would otherwise be read to it.
                response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        try:
            await self._serve(ticket, length, scope, receive, send)
        finally:
            self._backlog.finish(ticket)

    def _refusal(self, error: BusyError | NotReadyError, status: int) -> Response:
        self._metrics.rejected(error.code)
        retry_after_s = self._backlog.retry_after_s()
        return error_response(status, error_object(error), retry_after_s=retry_after_s)

    async def _serve(
        self, ticket: Ticket, length: int | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        request = CURRENT_SCOPE.get()
        assert request is not None
        request.charge = lambda cost: self._backlog.correct(ticket, cost)
        incoming = Incoming(
            receive,
            has_body=length is None or length > 0,
            body_timeout_s=self._body_timeout_s,
            on_bytes=lambda size: self._backlog.grow(ticket, size) if length is None else None,
        )
        answer = _Answer(send, incoming, self._backlog, is_endless=length is None)
        try:
            # The route stops reading a body whose client has left by this exception.
            with suppress(ClientDisconnect):
                await self._with_deadline(request, incoming, answer, scope)
        except _TimeOver:
            if answer.started:
                raise
            error = DeadlineError(deadline_message(request.timeout_s))
            self._metrics.rejected(error.code)
            await error_response(504, error_object(error))(scope, incoming.receive, answer.send)
        finally:
            request.abandon()

    async def _with_deadline(
        self, request: RequestScope, incoming: Incoming, answer: _Answer, scope: Scope
    ) -> None:
        """Run the app until it has answered, its time is over, or the client has left."""
        try:
            async with asyncio.timeout(request.remaining_s()) as limit:
                watch = _Watch(incoming, answer, limit)
                try:
                    await self._app(scope, incoming.receive, answer.send)
                finally:
                    watch.end()
        except TimeoutError as error:
            if not limit.expired():
                raise
            request.abandon()
            if not incoming.client_left:
                raise _TimeOver from error


class _TimeOver(Exception):  # noqa: N818 - it ends a block, nobody sees it
    """The deadline of a request passed."""


class _Answer:
    """What is sent back: notes how far it got, and completes the head of refusals."""

    def __init__(
        self, send: Send, incoming: Incoming, backlog: Backlog, *, is_endless: bool
    ) -> None:
        self.started = False
        self.complete = False
        self._send = send
        self._incoming = incoming
        self._backlog = backlog
        self._is_endless = is_endless

    async def send(self, message: Message) -> None:
        """Pass a message on to the server."""
        if message["type"] == "http.response.start":
            self.started = True
            self._complete_head(message)
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)

    def _complete_head(self, message: Message) -> None:
        status = message["status"]
        headers = MutableHeaders(scope=message)
        if status == _TOO_MANY:
            # What is in flight is known here alone; a longer wait of a rate limit stays.
            said = headers.get("retry-after", "0")
            longest = max(int(said) if said.isdecimal() else 0, self._backlog.retry_after_s())
            headers["retry-after"] = str(longest)
        unread = not self._incoming.complete
        if status in _ALWAYS_CLOSED or (unread and self._is_endless):
            # The rest of the body may never come, or never end.
            headers["connection"] = "close"


class _Watch:
    """Ends the time of a request when its client has closed the connection unanswered.

    It takes a task, which most requests are answered too quickly to be worth.
    """

    def __init__(self, incoming: Incoming, answer: _Answer, limit: asyncio.Timeout) -> None:
        self._incoming = incoming
        self._answer = answer
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._begin = self._loop.call_later(_WATCHED_AFTER_S, self._start)

    def end(self) -> None:
        """Stop watching: the request is over."""
        self._begin.cancel()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = self._loop.create_task(self._stop_when_left())

    async def _stop_when_left(self) -> None:
        await self._incoming.until_client_leaves()
        if not self._answer.complete:
            self._limit.reschedule(self._loop.time())
