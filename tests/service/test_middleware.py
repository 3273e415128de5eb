"""What happens to every request, shown on small apps behind a real server."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import error_response, install_error_handlers
from service.metrics import Metrics
from service.middleware import (
    Admission,
    BodyLimit,
    EscapedSlashes,
    RequestContext,
    restore_slashes,
)
from service.request_scope import CURRENT_SCOPE
from service.responses import json_response
from tests.service.running import error_of, serving


def context(app: ASGIApp, *, timeout_s: float = 10, access_log: bool = False) -> ASGIApp:
    """Return ``app`` inside the outermost middleware."""
    return RequestContext(app, metrics=Metrics(), timeout_s=timeout_s, access_log=access_log)


def admission(app: ASGIApp, *, max_requests: int = 8, draining: bool = False) -> ASGIApp:
    """Return ``app`` behind the admission middleware."""
    return Admission(
        app,
        metrics=Metrics(),
        max_requests=max_requests,
        retry_after_s=3,
        is_draining=lambda: draining,
    )


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


@pytest.fixture(scope="module")
def simple() -> Iterator[httpx.Client]:
    """Serve the hello app."""
    with serving(without_lifespan(context(hello))) as client:
        yield client


def test_an_id_is_made_for_each_request(simple: httpx.Client) -> None:
    """The handler sees the id that the answer carries, and no two are equal."""
    first, second = simple.get("/"), simple.get("/")

    assert first.headers["x-request-id"] == first.json()["id"]
    assert first.json()["id"] != second.json()["id"]


def test_the_id_of_the_client_is_kept(simple: httpx.Client) -> None:
    """An id from a proxy in front is echoed, so that its log and ours agree."""
    answer = simple.get("/", headers={"X-Request-ID": "trace-1.a:b_c"})

    assert answer.headers["x-request-id"] == "trace-1.a:b_c"


@pytest.mark.parametrize("given", ["a b", "x" * 129, "<script>", "", "a%0d%0aSet-Cookie:x"])
def test_a_strange_id_is_replaced(simple: httpx.Client, given: str) -> None:
    """Nothing that could disturb a header or a log line is echoed."""
    answer = simple.get("/", headers={"X-Request-ID": given})

    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 32


def test_answers_carry_security_headers(simple: httpx.Client) -> None:
    """No sniffing, no framing, no scripts from elsewhere."""
    headers = simple.get("/").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]


def test_a_defect_is_an_answer_with_an_id_and_no_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client gets the id, the log gets the traceback."""
    with serving(without_lifespan(context(defect))) as client:
        error = error_of(client.get("/"), 500)

    assert error["type"] == "internal"
    assert "secret detail" not in error["message"]
    assert "secret detail" in caplog.text


def test_the_log_has_no_query_and_no_path(caplog: pytest.LogCaptureFixture) -> None:
    """One line a request: method, route, status and time, never what was asked for."""
    caplog.set_level(logging.INFO, "service.access")
    with serving(without_lifespan(context(hello, access_log=True))) as client:
        client.get("/v1/items/private-id", params={"q": "private words"})

    line = next(record for record in caplog.records if record.name == "service.access")
    assert vars(line)["status"] == 200
    assert vars(line)["route"] == "unmatched"
    assert not any("private" in str(value) for value in vars(line).values())


def test_too_many_requests_are_refused_and_told_when_to_return() -> None:
    """The second of two requests at a limit of one gets 429 and Retry-After; then it is free."""
    inside, leave = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        inside.set()
        await asyncio.to_thread(leave.wait, 10)
        await hello(scope, receive, send)

    app = without_lifespan(context(admission(slow, max_requests=1)))
    with serving(app) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.get, "/")
        assert inside.wait(10)
        refused = client.get("/")
        health = pool.submit(client.get, "/healthz")
        leave.set()

        assert first.result(10).status_code == 200
        assert health.result(10).status_code == 200
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
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)

        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_an_escaped_slash_is_part_of_an_id() -> None:
    """``a%2Fb`` is one part of a path; a plain slash divides."""

    async def parts(scope: Scope, receive: Receive, send: Send) -> None:
        found = [restore_slashes(part) for part in scope["path"].split("/")]
        await json_response({"parts": list(found)})(scope, receive, send)

    with serving(without_lifespan(EscapedSlashes(parts))) as client:
        assert client.get("/v1/a%2fb%2F%C3%A9/c").json() == {"parts": ["", "v1", "a/b/\u00e9", "c"]}
        assert client.get("/v1/a%252Fb").json() == {"parts": ["", "v1", "a%2Fb"]}
        assert client.get("/v1/a/b").json() == {"parts": ["", "v1", "a", "b"]}
        assert client.get("/v1/%EF%B7%901%2F").json() == {"parts": ["", "v1", "\ufdd01/"]}


def test_only_answers_that_may_change_tell_when_to_return() -> None:
    """Retry-After stands on 429 and 503 alone."""
    assert error_response(429, {}, retry_after_s=2).headers["retry-after"] == "2"
    assert error_response(503, {}).headers["retry-after"] == "1"
    assert "retry-after" not in error_response(400, {}).headers
