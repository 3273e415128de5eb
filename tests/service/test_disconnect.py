"""A client that leaves takes its waiting work with it; a slow body loses its place."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.types import FloatArray, PixelArray
from service.admission import Admission
from service.backlog import Backlog, BacklogLimits
from service.errors import install_error_handlers
from service.metrics import Metrics
from service.request_scope import CURRENT_SCOPE, RequestScope
from service.responses import json_response
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.raw_http import connected, exchange, read_all, status_of
from tests.service.running import error_of, running, serving
from tests.service.small_apps import context, hello, without_lifespan

PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most a minute."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


def guarded(app: ASGIApp, backlog: Backlog, *, body_timeout_s: float = 60) -> ASGIApp:
    """Return ``app`` behind the admission middleware."""
    return Admission(
        app,
        metrics=Metrics(),
        backlog=backlog,
        body_timeout_s=body_timeout_s,
        is_draining=lambda: False,
    )


def reading_app(backlog: Backlog, **options: float) -> ASGIApp:
    """Return an app that reads bodies, behind the admission middleware."""
    app = FastAPI()
    app.state.metrics = Metrics()
    install_error_handlers(app, retry_after_s=1)

    @app.post("/")
    async def read(request: Request) -> Response:
        return json_response({"read": len(await request.body())})

    return context(guarded(without_lifespan(app), backlog, **options), timeout_s=60)


class Waiting:
    """An app whose requests wait for ever and remember how they ended."""

    def __init__(self) -> None:
        """Nobody has come yet."""
        self.scopes: list[RequestScope] = []
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then wait."""
        request = CURRENT_SCOPE.get()
        assert request is not None
        while (await receive()).get("more_body"):
            pass
        self.scopes.append(request)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc",
        (
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n"
        ),
    ],
    ids=["no body", "length", "chunked"],
)
def test_a_client_that_leaves_is_noticed_at_once(request_bytes: bytes) -> None:
    """The route is cancelled, the scope abandoned and the place free long before the deadline."""
    backlog, app = Backlog(BacklogLimits()), Waiting()
    with serving(without_lifespan(context(guarded(app, backlog), timeout_s=3600))) as client:
        with connected(client) as connection:
            connection.sendall(request_bytes)
            until(lambda: len(app.scopes) == 1)
        until(lambda: backlog.requests == 0)

    assert app.cancelled == 1
    assert app.scopes[0].abandoned


def test_a_client_that_leaves_within_its_body_frees_its_place() -> None:
    """Half a body and a closed connection: no error, no place taken."""
    backlog = Backlog(BacklogLimits())
    with serving(reading_app(backlog)) as client:
        with connected(client) as connection:
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf"
            )
            until(lambda: backlog.requests == 1)
        until(lambda: backlog.requests == 0)
        assert client.post("/", content=b"whole").json() == {"read": 5}


@pytest.mark.parametrize("length", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_arrive_is_answered_408(length: bytes) -> None:
    """The connection is closed and its place is free for others."""
    backlog = Backlog(BacklogLimits())
    with serving(reading_app(backlog, body_timeout_s=0.2)) as client:
        answer = exchange(
            client, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + length + b"\r\n\r\n4\r\n"
        )
        until(lambda: backlog.requests == 0)

    assert status_of(answer) == 408
    assert b'"code":"body_timeout"' in answer
    assert b"connection: close" in answer.lower()


def test_chunks_beyond_the_bytes_in_flight_are_refused() -> None:
    """While one request holds the budget, a body without a length is stopped when it grows."""
    backlog = Backlog(BacklogLimits(max_bytes=1000, retry_after_s=1))
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with serving(reading_app(backlog)) as client:
        with connected(client) as holder:
            holder.sendall(head + b"Content-Length: 900\r\n\r\n")
            until(lambda: backlog.bytes == 900)
            chunk = b"c8\r\n" + b"x" * 200 + b"\r\n"
            answer = exchange(client, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
            announced = client.post("/", content=b"x" * 200)
            holder.sendall(b"x" * 900)
            until(lambda: backlog.requests == 0)
        assert client.post("/", content=b"x" * 900).json() == {"read": 900}

    assert status_of(answer) == 429
    assert b"retry-after: 1" in answer.lower()
    assert error_of(announced, 429)["code"] == "busy"


def test_a_refused_body_is_not_read_into_memory_and_the_connection_lives_on() -> None:
    """429 comes before the body; the same connection then serves the next request."""
    backlog = Backlog(BacklogLimits(max_requests=1))
    with serving(reading_app(backlog)) as client, connected(client) as holder:
        holder.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\n")
        until(lambda: backlog.requests == 1)
        refused = client.post("/", content=b"x" * 3_000_000)
        holder.sendall(b"abc")
        until(lambda: backlog.requests == 0)
        accepted = client.post("/", content=b"x" * 3_000_000)

    assert refused.status_code == 429
    assert accepted.json() == {"read": 3_000_000}


@pytest.mark.parametrize("asked", ["0.05", "1e9"])
def test_a_client_may_ask_for_less_time(asked: str) -> None:
    """X-Request-Timeout shortens the deadline and never lengthens it; nonsense is 400."""
    app = without_lifespan(context(guarded(Waiting(), Backlog(BacklogLimits())), timeout_s=30))
    with serving(app) as client:
        answer = client.get("/", headers={"X-Request-Timeout": asked})

    if asked == "0.05":
        assert "0.05 s" in error_of(answer, 504)["message"]
    else:
        assert error_of(answer, 400)["param"] == "X-Request-Timeout"


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "inf", "", "5 s", "1" * 10])
def test_a_timeout_that_is_no_number_is_refused(asked: str) -> None:
    """A deadline that is silently ignored would surprise."""
    with serving(without_lifespan(context(hello))) as client:
        assert client.get("/", headers={"X-Request-Timeout": asked}).status_code == 400
        assert client.get("/", headers={"X-Request-Timeout": "2.5"}).status_code == 200


class Gated(FakeEncoder):
    """Waits at a gate before each image batch and counts the images."""

    def __init__(self) -> None:
        """Start with the gate closed."""
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Wait, then embed."""
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        return super().encode_images(pixels_NSS3)


def gauge(client: httpx.Client, name: str) -> float:
    """Return the value of a metric without labels."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"sightline_{name} "))


def search_request(colour: str) -> bytes:
    """Return a raw search by image."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        + picture_bytes(colour)
        + b"\r\n--x--\r\n"
    )
    head = (
        "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.slow
def test_what_waits_for_the_model_is_dropped_when_its_client_leaves(tmp_path: Path) -> None:
    """While the model is busy, an image without its client leaves the queue, never embedded."""
    encoder = Gated()
    with running(tmp_path, encoder=encoder, max_batch_images=1, image_cache_entries=0) as client:
        with connected(client) as first:
            first.sendall(search_request("red"))
            assert encoder.entered.wait(PATIENCE_S)
            with connected(client) as second:
                second.sendall(search_request("green"))
                until(lambda: gauge(client, "queued_images") == 1)
            until(lambda: gauge(client, "queued_images") == 0)
            until(lambda: gauge(client, "cost_in_flight") == 1)
            encoder.gate.set()
            answered = first.recv(100)
        until(lambda: gauge(client, "requests_in_flight") == 1)

    assert status_of(answered) == 200
    assert encoder.images_seen == 1


@pytest.mark.slow
def test_a_write_that_has_begun_is_finished_without_its_client(tmp_path: Path) -> None:
    """The client leaves while its item is embedded: either all of it is stored or nothing."""
    encoder = Gated()
    body = search_request("red").replace(b"/v1/search", b"/v1/items")
    with running(tmp_path, encoder=encoder) as client:
        with connected(client) as connection:
            connection.sendall(body)
            assert encoder.entered.wait(PATIENCE_S)
        until(lambda: gauge(client, "cost_in_flight") == 0)
        encoder.gate.set()
        added = client.post("/v1/items", files={"image": picture_bytes("green")})
        page = client.get("/v1/items").json()["items"]
        pictures = [client.get(item["image_url"]).status_code for item in page]

    assert added.status_code == 200
    assert len(page) in {1, 2}
    assert set(pictures) == {200}


def test_a_connection_that_was_answered_408_is_closed() -> None:
    """Nothing of the late body is taken for another request."""
    app = reading_app(Backlog(BacklogLimits()), body_timeout_s=0.2)
    request = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nGET"
    with serving(app) as client, connected(client) as connection:
        connection.sendall(request)
        answer = read_all(connection)

    assert answer.count(b"HTTP/1.1") == 1
