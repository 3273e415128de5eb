"""Rate limits of keys and addresses over HTTP, with a clock that the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from service.key_gate import Access, KeyGate
from service.key_ring import KeyRing
from service.keys import Scope, add_key, keys_path
from service.metrics import Metrics
from service.sessions import Sessions
from tests.service.running import error_of, serving, settings_for
from tests.service.small_apps import context, hello, without_lifespan


@contextmanager
def gated(folder: Path, monotonic: Callable[[], float], **changes: Any) -> Iterator[httpx.Client]:
    """Serve a small app behind the gate, with a clock for the rates."""
    settings = settings_for(folder, **changes)
    access = Access(KeyRing(keys_path(settings.gallery)), Sessions())
    gate: ASGIApp = KeyGate(
        hello, settings=settings, access=access, metrics=Metrics(), monotonic=monotonic
    )
    with serving(without_lifespan(context(gate))) as client:
        yield client


def test_too_many_requests_are_told_when_to_return(tmp_path: Path) -> None:
    """Two at once, then 429 with the seconds in Retry-After, then again."""
    now = [50.0]
    with gated(tmp_path, lambda: now[0], rate_limit=0.25, rate_burst=2) as client:
        assert [client.get("/v1/items").status_code for _ in range(2)] == [200, 200]
        answer = client.get("/v1/items")
        assert error_of(answer, 429)["code"] == "rate_limited"
        assert answer.headers["retry-after"] == "4"
        assert client.get("/healthz").status_code == 200
        now[0] += 4.0
        assert client.get("/v1/items").status_code == 200


def test_a_key_has_its_own_rate(tmp_path: Path) -> None:
    """The rate of the key counts before the setting, and keys do not share it."""
    path = keys_path(tmp_path / "gallery")
    slow = add_key(path, "slow", Scope.READ, now=time.time(), rate=0.1)
    free = add_key(path, "free", Scope.READ, now=time.time())
    with gated(tmp_path, lambda: 7.0, rate_burst=1) as client:
        slow_headers, free_headers = {"X-API-Key": slow}, {"X-API-Key": free}
        assert client.get("/v1/items", headers=slow_headers).status_code == 200
        answer = client.get("/v1/items", headers=slow_headers)
        assert answer.headers["retry-after"] == "10"
        for _ in range(5):
            assert client.get("/v1/items", headers=free_headers).status_code == 200


def test_addresses_are_told_apart_behind_a_trusted_proxy(tmp_path: Path) -> None:
    """One address that is too quick costs another nothing; an IPv6 network counts as one."""
    with gated(tmp_path, lambda: 7.0, rate_limit=0.1, rate_burst=1) as client:

        def status(address: str) -> int:
            headers = {"X-Forwarded-For": address}
            return client.get("/v1/items", headers=headers).status_code

        assert [status("192.0.2.1"), status("192.0.2.1"), status("192.0.2.2")] == [
            200,
            429,
            200,
        ]
        assert [status("2001:db8::1"), status("2001:db8::2")] == [200, 429]
        assert status("2001:db8:0:1::1") == 200
