"""Apps of a few lines that show what a middleware does."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from service.metrics import Metrics
from service.middleware import RequestContext
from service.request_scope import CURRENT_SCOPE
from service.responses import json_response


def context(app: ASGIApp, *, timeout_s: float = 60, access_log: bool = False) -> ASGIApp:
    """Return ``app`` inside the outermost middleware."""
    return RequestContext(app, metrics=Metrics(), timeout_s=timeout_s, access_log=access_log)


def without_lifespan(app: ASGIApp) -> ASGIApp:
    """Return an app that ignores the start-up events of the server."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await app(scope, receive, send)

    return wrapped


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the id of the request."""
    request = CURRENT_SCOPE.get()
    assert request is not None
    await json_response({"id": request.request_id})(scope, receive, send)


async def sleeper(scope: Scope, receive: Receive, send: Send) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def defect(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail as a defect of ours would."""
    raise RuntimeError("secret detail")
