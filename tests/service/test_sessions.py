"""The cookie of the page, which stands for a key in what only looks."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from service.keys import Scope, add_key, keys_path, revoke_key
from service.sessions import COOKIE
from tests.fakes import picture_bytes
from tests.service.closed_gallery import KEYS, bearer
from tests.service.running import error_of, running


def test_a_key_is_exchanged_for_a_cookie(closed: httpx.Client) -> None:
    """Scripts cannot read it, other sites cannot send it, and it does not hold the key."""
    answer = closed.post("/v1/session", headers=bearer("write"))
    cookie = answer.headers["set-cookie"]
    closed.cookies.clear()

    assert answer.json() == {"name": "write", "scope": "write", "seconds": 43200}
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert KEYS["write"] not in cookie


def test_a_cookie_is_for_https_alone_where_the_page_is(closed: httpx.Client) -> None:
    """A trusted proxy says how the browser came."""
    headers = {**bearer("read"), "X-Forwarded-Proto": "https"}
    answer = closed.post("/v1/session", headers=headers)
    closed.cookies.clear()

    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_key_gets_no_cookie(closed: httpx.Client) -> None:
    """Missing or unknown: 401."""
    for headers in ({}, {"X-API-Key": "sl_wrong"}):
        answer = closed.post("/v1/session", headers=headers)
        assert "set-cookie" not in answer.headers
        error_of(answer, 401)


def test_a_session_looks_but_does_not_touch(tmp_path: Path) -> None:
    """With the cookie of an admin's key: pictures and searches, no change, no metrics."""
    secret = add_key(keys_path(tmp_path / "gallery"), "a", Scope.ADMIN, now=time.time())
    headers = {"X-API-Key": secret}
    with running(tmp_path) as client:
        files = {"image": picture_bytes("red")}
        added = client.post("/v1/items", files=files, headers=headers).json()["results"][0]
        client.post("/v1/session", headers=headers)
        image = f"/v1/items/{added['id']}/image"

        assert client.get(image).status_code == 200
        assert client.post("/v1/search", json={"query": "red"}).status_code == 200
        error_of(client.post("/v1/items", files=files), 401)
        error_of(client.delete(image.removesuffix("/image")), 401)
        error_of(client.get("/metrics"), 401)
        assert client.delete("/v1/session").status_code == 200
        assert COOKIE not in client.cookies
        error_of(client.get(image), 401)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_page_may_use_the_session(closed: httpx.Client, site: str) -> None:
    """Other ports of this machine are the same site to a browser, but not the same origin."""
    closed.post("/v1/session", headers=bearer("read"))
    try:
        error_of(closed.get("/v1/items", headers={"Sec-Fetch-Site": site}), 401)
        foreign = {"Origin": "http://localhost:3000"}
        error_of(closed.post("/v1/search", json={"query": "red"}, headers=foreign), 403)
        assert closed.get("/v1/items", headers={"Sec-Fetch-Site": "none"}).status_code == 200
    finally:
        closed.cookies.clear()


def test_a_session_ends_with_its_key(tmp_path: Path) -> None:
    """Revoking works at once."""
    path = keys_path(tmp_path / "gallery")
    secret = add_key(path, "a", Scope.READ, now=time.time())
    with running(tmp_path) as client:
        client.post("/v1/session", headers={"X-API-Key": secret})
        assert client.get("/v1/items").status_code == 200
        revoke_key(path, "a")
        error_of(client.get("/v1/items"), 401)


@pytest.mark.parametrize(
    "forged",
    ["", "x", "a.b", "a.b.c", "a.9999999999.c", "....", "a.9999999999.\u00e9", "%00.1.2"],
)
def test_a_forged_cookie_is_nothing(closed: httpx.Client, forged: str) -> None:
    """Whatever it holds: 401."""
    cookie = f"{COOKIE}={forged}".encode()
    answer = closed.get("/v1/items", headers=[(b"Cookie", cookie)])

    error_of(answer, 401)
