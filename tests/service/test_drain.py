"""SIGTERM under load: what was accepted is answered, the rest is sent elsewhere."""

from __future__ import annotations

import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.fakes import picture_bytes
from tests.service.observing import wait_until_ready
from tests.service.raw_http import read_all, status_of
from tests.service.small_server import servers

CLIENTS = 6

pytestmark = pytest.mark.slow


def ask_until_refused(address: str, started: threading.Event, client_number: int) -> Counter[str]:
    """Add pictures one after another until the service is gone; count how requests ended."""
    ends: Counter[str] = Counter()
    for number in range(10_000):
        picture = picture_bytes((client_number, number % 256, number // 256))
        item = f'[{{"id": "{client_number}-{number}"}}]'
        try:
            # A new connection each time: one that is kept may close while a request is under way.
            answer = httpx.post(
                f"{address}/v1/items",
                files={"image": picture},
                data={"items": item},
                timeout=60,
                trust_env=False,
                verify=False,
                headers={"connection": "close"},
            )
        except httpx.ConnectError:
            ends["port closed"] += 1
            return ends
        except httpx.TransportError:
            # Cut off: allowed only where the service never took it, which the test checks.
            ends[f"lost {client_number}-{number}"] += 1
            continue
        ends[str(answer.status_code)] += 1
        if answer.status_code == 200:
            ends[f"stored {client_number}-{number}"] += 1
            started.set()
        elif answer.headers["connection"] != "close":
            ends["kept open"] += 1
    return ends


@pytest.mark.parametrize(("decode", "rounds"), [("thread", 2), ("process", 1)])
def test_a_drain_under_load_drops_nothing(tmp_path: Path, decode: str, rounds: int) -> None:
    """Every accepted add is answered 200 and stored, every later one 503; the exit is clean."""
    for round_number in range(rounds):
        folder = tmp_path / str(round_number)
        folder.mkdir()
        with servers() as server, ThreadPoolExecutor(CLIENTS) as clients:
            settings = {"decode": decode, "decode_timeout_s": 60.0, "drain_notice_s": 0.3}
            address = server.start(folder, image_s=0.003, **settings)
            started = threading.Event()
            asked = [
                clients.submit(ask_until_refused, address, started, number)
                for number in range(CLIENTS)
            ]
            assert started.wait(60)
            server.signal(signal.SIGTERM)
            ends = sum((future.result(120) for future in asked), Counter[str]())
            assert server.wait() == 0
            found = ids_of(server.start(folder))

        assert {name for name in ends if name.isdecimal()} <= {"200", "503"}, ends
        assert ends["kept open"] == 0
        stored = {name.removeprefix("stored ") for name in ends if name.startswith("stored")}
        lost = {name.removeprefix("lost ") for name in ends if name.startswith("lost")}
        assert stored <= found
        assert not lost & found


def ids_of(address: str) -> set[str]:
    """Return the ids of all items of a server."""
    with httpx.Client(base_url=address, timeout=60, trust_env=False, verify=False) as client:
        found: set[str] = set()
        query: dict[str, str] = {}
        while True:
            page = client.get("/v1/items", params={"limit": "1000", **query}).json()
            found |= {item["id"] for item in page["items"]}
            if page["cursor"] is None:
                return found
            query = {"cursor": page["cursor"]}


def test_readiness_is_off_before_the_port_closes(tmp_path: Path) -> None:
    """After SIGTERM a kept connection still gets its answer: 503, and that it is closing."""
    with servers() as server:
        address = server.start(tmp_path, drain_notice_s=600.0)
        with httpx.Client(base_url=address, timeout=60, trust_env=False, verify=False) as client:
            wait_until_ready(client)
            server.signal(signal.SIGTERM)
            while "draining" not in (ready := client.get("/readyz")).text:
                pass
            refused = client.get("/v1/gallery")
            alive = client.get("/healthz")

    assert (ready.status_code, refused.status_code) == (503, 503)
    assert refused.headers["connection"] == "close"
    assert refused.headers["retry-after"]
    assert alive.status_code == 200


def test_a_request_that_never_ends_does_not_keep_the_process(tmp_path: Path) -> None:
    """A body that stops arriving is cut off when the drain is over."""
    head = (
        b"POST /v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n"
        b"Content-Type: application/json\r\n\r\n{"
    )
    with servers() as server:
        address = server.start(tmp_path, drain_timeout_s=1.0, drain_notice_s=0.1)
        where = urlsplit(address)
        with (
            httpx.Client(base_url=address, timeout=60, trust_env=False, verify=False) as metrics,
            socket.create_connection((where.hostname or "", where.port or 0), timeout=60) as client,
        ):
            client.sendall(head)
            while "sightline_bytes_in_flight 99.0" not in metrics.get("/metrics").text:
                pass
            server.signal(signal.SIGTERM)

            assert server.wait() == 0
            assert status_of(read_all(client)) in {0, 500}
