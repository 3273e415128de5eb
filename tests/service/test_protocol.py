"""Heads of requests that come too slowly, are too large, or are no requests at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from service.backlog import Backlog, BacklogLimits
from service.protocol import ConnectionLimits, limited_protocol
from tests.service.raw_http import connected, exchange, read_all, status_of
from tests.service.running import serving
from tests.service.small_apps import context, hello, without_lifespan
from tests.service.test_disconnect import reading_app

QUICK = ConnectionLimits(head_timeout_s=0.3, body_timeout_s=0.3)
SMALL = ConnectionLimits(
    head_timeout_s=600, body_timeout_s=600, max_head_bytes=4000, max_headers=20
)
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def quick() -> Iterator[httpx.Client]:
    """Serve an app that reads bodies; heads have to arrive soon."""
    app = reading_app(Backlog(BacklogLimits()))
    with serving(app, http=limited_protocol(QUICK)) as client:
        yield client


@pytest.fixture(scope="module")
def small() -> Iterator[httpx.Client]:
    """Serve an app that reads bodies; heads have to be small."""
    app = reading_app(Backlog(BacklogLimits()))
    with serving(app, http=limited_protocol(SMALL)) as client:
        yield client


def answered(client: httpx.Client, request: bytes) -> bytes:
    """Return the answer to raw bytes.

    On a busy machine the connection may be over before its first byte is sent; that is no answer.
    """
    for _ in range(50):
        answer = exchange(client, request)
        if answer:
            return answer
    raise AssertionError("no answer in 50 attempts")


@pytest.mark.parametrize("sent", [b"G", GET, GET + b"X-Slow: a"])
def test_a_head_that_does_not_end_is_answered_408(quick: httpx.Client, sent: bytes) -> None:
    """A client that sends its head byte by byte holds no connection for long."""
    assert status_of(answered(quick, sent)) == 408


def test_a_connection_without_a_byte_is_closed(quick: httpx.Client) -> None:
    """Nobody asked anything, so there is nothing to answer."""
    assert exchange(quick, b"") == b""


def test_the_second_head_of_a_connection_has_the_same_limit(quick: httpx.Client) -> None:
    """The clock starts again with its first byte."""
    first = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nab"
    ends = b""
    for _ in range(50):
        # On a busy machine either head may come too late to be one.
        with connected(quick) as connection, suppress(ConnectionError):
            connection.sendall(first)
            answer = b""
            while not answer.endswith(b'{"read":2}') and (part := connection.recv(65536)):
                answer += part
            connection.sendall(GET)
            ends += read_all(connection) if status_of(answer) == 200 else b""
        if ends:
            break

    assert ends.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X-Long: " + b"a" * 5000 + b"\r\n\r\n",
        GET + b"X-Endless: " + b"a" * 5000,
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        GET + b"".join(b"X-%d: a\r\n" % number for number in range(21)) + b"\r\n",
    ],
    ids=["one header", "endless", "path", "many"],
)
def test_a_large_head_is_answered_431(small: httpx.Client, head: bytes) -> None:
    """Bytes and number of headers are bounded, whether or not the head ends."""
    assert status_of(exchange(small, head)) == 431


@pytest.mark.parametrize(
    "junk",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 9],
)
def test_what_is_no_request_is_answered_400_or_closed(quick: httpx.Client, junk: bytes) -> None:
    """TLS on the plain port and noise end the connection."""
    assert status_of(exchange(quick, junk)) in {0, 400, 408}


def test_a_websocket_is_not_begun(small: httpx.Client) -> None:
    """There is none here: the request is answered as any other."""
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
    answer = exchange(small, GET + upgrade + b"Sec-WebSocket-Version: 13\r\n\r\n")

    assert status_of(answer) in {400, 405}


def test_a_body_that_goes_on_after_its_answer_ends_the_connection() -> None:
    """A refused client that dribbles its body for ever is cut off."""
    with serving(without_lifespan(context(hello)), http=limited_protocol(QUICK)) as client:
        request = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nab"
        answer = answered(client, request)

    assert status_of(answer) == 200


def test_requests_within_the_limits_pass(small: httpx.Client) -> None:
    """Large bodies, several requests on one connection and pipelined ones are small."""
    first = small.post("/", content=b"x" * 200_000)
    second = small.post("/", content=b"y" * 200_000)
    one = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nab"
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    pipelined = exchange(small, one + one + last)

    assert first.json() == second.json() == {"read": 200_000}
    assert pipelined.count(b"HTTP/1.1 200") == 3
