"""Pure ASGI middlewares: what happens to every request before and after its route.

From the outside in: ``RequestContext`` (id, log line, metrics, security headers, last resort),
``EscapedSlashes``, ``KeyGate``, ``BodyLimit`` and ``Admission`` (files of their own).
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import UsageError
from core.timing import RECORDER
from service.errors import error_object, error_response
from service.metrics import Metrics
from service.request_cost import header
from service.request_scope import CURRENT_SCOPE, RequestScope
from service.tracing import Trace, Tracer

logger = logging.getLogger("service.access")

UNMATCHED = "unmatched"
TIMEOUT_HEADER = "X-Request-Timeout"
"""Seconds after which a client does not want the answer any more; shorter than ours, or ours."""
_TIMEOUT_NAME = TIMEOUT_HEADER.lower().encode()
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?\Z", re.ASCII)
_CLOSED_BY_CLIENT = 499
# Not a character by the Unicode standard; one that occurs all the same is escaped itself.
_MARK = "\ufdd0"
_SLASH, _MARK_ITSELF = f"{_MARK}1", f"{_MARK}0"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}


class RequestContext:
    """Gives each request an id and a scope, each answer its headers, and writes one line."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        timeout_s: float,
        access_log: bool,
        tracer: Tracer | None = None,
    ) -> None:
        """Wrap ``app``."""
        self._tracer = tracer
        self._app = app
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, refusal = self._new_request(scope)
        trace = None
        if self._tracer is not None:
            request.trace = trace = self._tracer.begin(scope["headers"])
        token = CURRENT_SCOPE.set(request)
        recorder = RECORDER.set(request)
        status = _CLOSED_BY_CLIENT
        self._metrics.request_begun()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request.request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await (refusal or self._app)(scope, receive, send_with_headers)
        except Exception:
            # The last resort: a defect of ours is still an answer with an id, and is logged.
            logger.exception("unhandled error", extra={"request_id": request.request_id})
            if status == _CLOSED_BY_CLIENT:
                await _internal_error(request)(scope, receive, send_with_headers)
        finally:
            CURRENT_SCOPE.reset(token)
            RECORDER.reset(recorder)
            self._finish(scope, request, status, trace)

    def _new_request(self, scope: Scope) -> tuple[RequestScope, ASGIApp | None]:
        """Return the scope of a request, and the answer to one whose own deadline is no number."""
        refusal: ASGIApp | None = None
        timeout_s = self._timeout_s
        try:
            timeout_s = min(timeout_s, _asked_timeout_s(scope) or timeout_s)
        except UsageError as error:
            refusal = error_response(400, error_object(error))
        now = time.monotonic()
        request = RequestScope(
            request_id=_request_id(scope),
            expires_at=now + timeout_s,
            timeout_s=timeout_s,
            started_at=now,
            observe=self._metrics.stage_done,
        )
        return request, refusal

    def _finish(
        self, scope: Scope, request: RequestScope, status: int, trace: Trace | None
    ) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        took_ms = request.elapsed_ms()
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.request_done(method, route, status, took_ms / 1000)
        traced = {}
        if trace is not None:
            traced["trace_id"] = trace.trace_id
            trace.finish(method=method, route=route, status=status, request_id=request.request_id)
        if self._access_log:
            # The route, not the path: ids and queries are the user's, not the log's.
            logger.info(
                "request",
                extra={
                    "method": method,
                    "route": route,
                    "status": status,
                    "took_ms": took_ms,
                    "request_id": request.request_id,
                    **request.stages_ms(),
                    **traced,
                    **({} if request.key_name is None else {"key": request.key_name}),
                },
            )


class EscapedSlashes:
    """Lets ids contain slashes: an escaped one is part of an id, not a border between parts.

    Servers decode the path before they match it, so ``a%2Fb`` would look like two parts. Here an
    escaped slash becomes a mark that the router takes for a letter; ``restore_slashes`` turns it
    back.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and (b"%2f" in raw.lower() or _MARK in scope["path"]):
            parts = re.split(r"%2[Ff]", raw.decode("ascii", "replace"))
            decoded = [unquote(part).replace(_MARK, _MARK_ITSELF) for part in parts]
            scope["path"] = _SLASH.join(decoded)
        await self._app(scope, receive, send)


def restore_slashes(part: str) -> str:
    """Return a part of a path with its escaped slashes."""
    return part.replace(_SLASH, "/").replace(_MARK_ITSELF, _MARK)


def _request_id(scope: Scope) -> str:
    given = header(scope, b"x-request-id")
    # Only plain characters: an id is echoed in a header and written to the log.
    return given if given is not None and _CLIENT_ID.match(given) else uuid.uuid4().hex


def _asked_timeout_s(scope: Scope) -> float | None:
    """Return the seconds a client is willing to wait, ``None`` where it does not say.

    Raises:
        UsageError: not a number above 0.
    """
    given = header(scope, _TIMEOUT_NAME)
    if given is None:
        return None
    if not _SECONDS.match(given) or float(given) <= 0:
        raise UsageError(
            f"{TIMEOUT_HEADER}: {given[:40]!r} is no number of seconds above 0; send it as 2.5",
            param=TIMEOUT_HEADER,
        )
    return float(given)


def _internal_error(request: RequestScope) -> ASGIApp:
    message = (
        "the service failed on this request; its log has the details under the request id "
        f"{request.request_id}"
    )
    return error_response(
        500, {"type": "internal", "message": message, "param": None, "code": "internal"}
    )
