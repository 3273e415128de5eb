"""What happens to every request, shown on small apps behind a real server."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from service.errors import error_response
from service.middleware import EscapedSlashes, restore_slashes
from service.responses import json_response
from tests.service.running import error_of, serving
from tests.service.small_apps import context, defect, hello, without_lifespan


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
