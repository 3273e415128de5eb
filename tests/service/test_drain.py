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
from tests.service.raw_http import read_all, status_of
from tests.service.small_server import server_process

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
        settings = {"decode": decode, "drain_notice_s": 0.3}
        with (
            server_process(folder, image_s=0.003, **settings) as (process, address),
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            started = threading.Event()
            asked = [
                clients.submit(ask_until_refused, address, started, number)
                for number in range(CLIENTS)
            ]
            assert started.wait(60)
            process.send_signal(signal.SIGTERM)
            ends = sum((future.result(120) for future in asked), Counter[str]())
            assert process.wait(60) == 0

        assert {name for name in ends if name.isdecimal()} <= {"200", "503"}, ends
        assert ends["kept open"] == 0
        stored = {name.removeprefix("stored ") for name in ends if name.startswith("stored")}
        lost = {name.removeprefix("lost ") for name in ends if name.startswith("lost")}
        with server_process(folder) as (_, address):
            page = httpx.get(f"{address}/v1/items?limit=1000", trust_env=False, timeout=60).json()
        found = {item["id"] for item in page["items"]}
        assert stored <= found
        assert not lost & found


def test_readiness_is_off_before_the_port_closes(tmp_path: Path) -> None:
    """After SIGTERM a kept connection still gets its answer: 503, and that it is closing."""
    with server_process(tmp_path, drain_notice_s=60.0) as (process, address):
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            assert client.get("/readyz").status_code == 200
            process.send_signal(signal.SIGTERM)
            while (ready := client.get("/readyz")).status_code == 200:
                pass
            refused = client.get("/v1/gallery")
            alive = client.get("/healthz")

        assert (ready.status_code, refused.status_code) == (503, 503)
        assert "draining" in ready.json()["error"]["message"]
        assert refused.headers["connection"] == "close"
        assert refused.headers["retry-after"]
        assert alive.status_code == 200


def test_a_request_that_never_ends_does_not_keep_the_process(tmp_path: Path) -> None:
    """A body that stops arriving is cut off when the drain is over."""
    with server_process(tmp_path, drain_timeout_s=1.0, drain_notice_s=0.1) as (process, address):
        where = urlsplit(address)
        with socket.create_connection((where.hostname, where.port or 0), timeout=60) as client:
            client.sendall(
                b"POST /v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n"
                b"Content-Type: application/json\r\n\r\n{"
            )
            while (
                httpx.get(f"{address}/metrics", trust_env=False).text.count(
                    "sightline_bytes_in_flight 99.0"
                )
                < 1
            ):
                pass
            process.send_signal(signal.SIGTERM)

            assert process.wait(60) == 0
            assert status_of(read_all(client)) in {0, 500}
