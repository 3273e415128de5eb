"""Rules of sending over real connections, against servers that misbehave by script."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import httpx
import pytest

from core.errors import BusyError, NotReadyError, ServerError, SightlineError, UsageError
from sightline.async_client import AsyncClient
from sightline.call import Call
from sightline.client import Client
from sightline.item_calls import delete_items_call, get_item_call, update_item_call
from sightline.label_calls import save_label_set_call
from sightline.retries import RetryRule
from sightline.server_calls import gallery_call, models_call, ready_call
from sightline.transport import AsyncTransport, Connection, Transport
from tests.sightline.scripted import DROP, answer, error, scripted

QUICK = RetryRule(attempts=4, first_wait_s=0.0)
MODELS = answer(200, {"data": [{"id": "m", "encoder_id": "e", "dim": 8}]})
BROKEN_OFF = MODELS[:-10]


def send(url: str, call: Call[object], *, attempts: int = 4) -> tuple[object, list[float]]:
    """Send a call and return its answer with the waits before it; no time passes."""
    waits: list[float] = []

    def sleep(seconds: float) -> bool:
        waits.append(seconds)
        return True

    with Connection(url).open() as http:
        rule = RetryRule(attempts=attempts, first_wait_s=0.0)
        return Transport(http, rule, sleep=sleep).send(call), waits


def send_async(url: str, call: Call[object], *, attempts: int = 4) -> tuple[object, list[float]]:
    """Do the same in an event loop."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def main() -> object:
        async with Connection(url).open_async() as http:
            rule = RetryRule(attempts=attempts, first_wait_s=0.0)
            return await AsyncTransport(http, rule, sleep=sleep).send(call)

    return asyncio.run(main()), waits


SENDERS = pytest.mark.parametrize("sender", [send, send_async], ids=["sync", "async"])
Sender = Callable[..., tuple[object, list[float]]]


@SENDERS
def test_429_is_waited_out_for_as_long_as_the_server_asks(sender: Sender) -> None:
    """Retry-After of 3 and 2 seconds, then the answer."""
    busy = [error(429, "busy", {"Retry-After": seconds}) for seconds in ("3", "2")]

    with scripted(*busy, MODELS) as server:
        (model,), waits = sender(server.url, models_call())

    assert model.id == "m"
    assert waits == [3.0, 2.0]


@SENDERS
@pytest.mark.parametrize("broken", [DROP, BROKEN_OFF], ids=["before", "within"])
def test_a_connection_that_breaks_is_made_anew(sender: Sender, broken: bytes) -> None:
    """Before the answer or in the middle of it: a question is asked again."""
    with scripted(broken, broken, MODELS) as server:
        (model,), waits = sender(server.url, models_call())

    assert model.id == "m"
    assert len(waits) == 2


@SENDERS
def test_attempts_end(sender: Sender) -> None:
    """The last error is raised as it is, with the number of requests that was allowed."""
    with scripted(error(429, "busy")) as server, pytest.raises(BusyError, match="it is busy"):
        sender(server.url, models_call(), attempts=3)

    assert len(server.requests) == 3


@SENDERS
@pytest.mark.parametrize("broken", [DROP, error(503, "not_ready")], ids=["dropped", "503"])
def test_saving_a_label_set_is_never_done_twice(sender: Sender, broken: bytes) -> None:
    """It may have been saved, and saving again would make another version."""
    call = save_label_set_call("pets", ["cat"], templates=None, template_set=None)

    with scripted(broken) as server, pytest.raises(SightlineError):
        sender(server.url, call)

    assert len(server.requests) == 1


@SENDERS
def test_saving_a_label_set_that_was_refused_as_busy_is_sent_again(sender: Sender) -> None:
    """429 is answered before any work."""
    saved = {
        "name": "pets",
        "version": 1,
        "labels": ["cat"],
        "template_set": "single",
        "templates": ["{}"],
        "digest": "d",
    }
    call = save_label_set_call("pets", ["cat"], templates=None, template_set=None)

    with scripted(error(429, "busy"), answer(200, saved)) as server:
        found, _ = sender(server.url, call)

    assert found.version == 1
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "call",
    [
        get_item_call("a"),
        update_item_call("a", caption="c", metadata=None),
        delete_items_call(["a"], None),
        gallery_call(),
    ],
    ids=["get", "patch", "delete", "gallery"],
)
def test_calls_that_may_be_repeated_are(call: Call[object]) -> None:
    """Doing them twice leaves what doing them once leaves."""
    with scripted(DROP, error(400, "invalid_request")) as server, pytest.raises(UsageError):
        send(server.url, call)

    assert len(server.requests) == 2


def test_a_question_about_this_moment_is_asked_once() -> None:
    """Readiness that is waited for would be another answer."""
    with scripted(error(503, "not_ready")) as server, pytest.raises(NotReadyError):
        send(server.url, ready_call())

    assert len(server.requests) == 1


def test_attempts_share_a_request_id() -> None:
    """The server's log shows them together."""
    with scripted(DROP, MODELS) as server:
        send(server.url, models_call())

    first, second = server.headers("X-Request-ID")
    assert first == second


def test_the_key_is_sent_as_bearer() -> None:
    """Without one there is no header."""
    with scripted(MODELS) as server:
        with Client(server.url, api_key="sl_secret") as client:
            client.models()
        with Client(server.url) as client:
            client.models()

    assert server.headers("Authorization") == ["Bearer sl_secret"]


def test_a_key_is_not_shown() -> None:
    """What is printed for debugging holds no secret."""
    assert "secret" not in repr(Connection("http://a", "sl_secret"))


def test_a_server_that_is_not_there_is_said_so() -> None:
    """The message names the address and the remedy."""
    # Bound, so that nobody else gets the port, but not listening.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url, retries=RetryRule(attempts=1)) as client:
            with pytest.raises(ServerError, match=r"no connection .*is the server running") as e:
                client.gallery()
            assert not client.ready()

    assert e.value.code == "unreachable"


def test_a_server_that_is_none_of_ours_is_said_so() -> None:
    """A successful answer of another kind is an error that shows it."""
    with (
        scripted(answer(200, {"hello": "world"})) as server,
        Client(server.url) as client,
        pytest.raises(ServerError, match="something else than Sightline") as caught,
    ):
        client.gallery()

    assert caught.value.code == "invalid_answer"
    assert '{"hello": "world"}' in str(caught.value)


def test_a_server_that_is_too_slow_is_said_so() -> None:
    """A read timeout is no broken connection: the request is not sent again."""
    with (
        httpx.Client(transport=httpx.MockTransport(_too_slow), base_url="http://a") as http,
        pytest.raises(ServerError, match="longer timeout_s"),
    ):
        Transport(http, QUICK).send(gallery_call())


def _too_slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out", request=request)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://a:b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Before anything is sent, by both clients."""
    with pytest.raises(UsageError, match="is no address"):
        Client(url)
    with pytest.raises(UsageError, match="is no address"):
        AsyncClient(url)


def test_an_address_may_have_a_path() -> None:
    """Behind a gateway the service may lie below a prefix."""
    with scripted(MODELS) as server, Client(f"{server.url}/photos/") as client:
        client.models()

    assert server.requests[0].startswith(b"GET /photos/v1/models HTTP/1.1")
