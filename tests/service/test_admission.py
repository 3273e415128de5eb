"""Too many requests, too much time, too many bytes: refused in the shape of errors."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.admission import Admission
from service.backlog import Backlog, BacklogLimits
from service.body_limit import BodyLimit
from service.errors import install_error_handlers
from service.metrics import Metrics
from service.middleware import RequestContext
from service.responses import json_response
from tests.service.running import error_of, serving
from tests.service.small_apps import context, hello, sleeper, without_lifespan


def admission(
    app: ASGIApp,
    *,
    draining: bool = False,
    body_timeout_s: float = 30,
    backlog: Backlog | None = None,
    **limits: int,
) -> ASGIApp:
    """Return ``app`` behind the admission middleware."""
    return Admission(
        app,
        metrics=Metrics(),
        backlog=backlog or Backlog(BacklogLimits(retry_after_s=3, **limits)),
        body_timeout_s=body_timeout_s,
        is_draining=lambda: draining,
    )


def test_too_many_requests_are_refused_and_told_when_to_return() -> None:
    """The second of two requests at a limit of one gets 429 and Retry-After; then it is free."""
    inside, leave = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        inside.set()
        await asyncio.to_thread(leave.wait, 60)
        await hello(scope, receive, send)

    app = without_lifespan(context(admission(slow, max_requests=1)))
    with serving(app) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.get, "/")
        assert inside.wait(60)
        refused = client.get("/")
        health = pool.submit(client.get, "/healthz")
        leave.set()

        assert first.result(60).status_code == 200
        assert health.result(60).status_code == 200
        assert client.get("/").status_code == 200
    assert error_of(refused, 429)["type"] == "busy"
    assert refused.headers["retry-after"] == "3"


def test_a_request_that_takes_too_long_is_answered() -> None:
    """The deadline gives 504 in the shape of errors, and the scope is marked as abandoned."""
    app = without_lifespan(context(admission(sleeper), timeout_s=0.05))
    with serving(app) as client:
        error = error_of(client.get("/"), 504)

    assert error["code"] == "deadline"
    assert "0.05 s" in error["message"]


def test_a_draining_service_sends_clients_elsewhere() -> None:
    """New requests get 503 while the ones in flight finish."""
    app = without_lifespan(context(admission(hello, draining=True)))
    with serving(app) as client:
        answer = client.get("/")

    assert error_of(answer, 503)["type"] == "not_ready"
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["connection"] == "close"


def limited_app(limit: int) -> ASGIApp:
    """Return an app with a body limit that answers the number of bytes it read."""
    app = FastAPI()
    app.state.metrics = Metrics()
    install_error_handlers(app, retry_after_s=1)

    @app.post("/")
    async def read(request: Request) -> Response:
        return json_response({"read": len(await request.body())})

    app.add_middleware(BodyLimit, max_bytes=limit)
    app.add_middleware(RequestContext, metrics=Metrics(), timeout_s=10, access_log=False)
    return app


@pytest.fixture(scope="module")
def limited() -> Iterator[httpx.Client]:
    """Serve an app that takes 1000 bytes."""
    with serving(limited_app(1000)) as client:
        yield client


def test_a_body_up_to_the_limit_is_read(limited: httpx.Client) -> None:
    """The limit itself still fits."""
    assert limited.post("/", content=b"x" * 1000).json() == {"read": 1000}


def test_an_announced_body_over_the_limit_is_refused_unread(limited: httpx.Client) -> None:
    """Content-Length decides before a byte of the body is read."""
    answer = limited.post("/", content=b"x" * 1001)

    assert error_of(answer, 413)["code"] == "body_too_large"
    assert "1000 bytes" in answer.json()["error"]["message"]
    assert answer.headers["connection"] == "close"


def test_a_body_without_a_length_is_counted(limited: httpx.Client) -> None:
    """A chunked body is cut off at the limit, however long it goes on."""
    answer = limited.post("/", content=(b"x" * 100 for _ in range(50)))

    assert error_of(answer, 413)["code"] == "body_too_large"


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "+5"])
def test_a_length_that_is_no_number_is_refused(limited: httpx.Client, length: str) -> None:
    """A lying Content-Length gives 400, not a hanging connection."""
    request = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    address = (limited.base_url.host, int(limited.base_url.port or 0))
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(request)

        assert connection.recv(100).startswith(b"HTTP/1.1 400")
