"""The gate in front of every route: keys, scopes, sessions, foreign pages and rates over HTTP."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from service.app import create_app
from service.key_gate import Access, KeyGate
from service.key_ring import KeyRing
from service.keys import Scope, add_key, keys_path, revoke_key
from service.metrics import Metrics
from service.scopes import SCOPES, RouteScopes
from service.sessions import COOKIE, Sessions
from service.settings import Settings
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import error_of, running, serving, settings_for
from tests.service.small_apps import context, hello, without_lifespan
from tests.service.test_app import routes_of

SCOPE_NAMES = ("read", "write", "admin")
EXAMPLES = {"{item_id}": "red", "{name}": "start.js", "{model}": "fake"}


KEYS: dict[str, str] = {}
"""The keys of the closed service by their scope."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a gallery with a key of each scope; yield its client."""
    folder = tmp_path_factory.mktemp("closed")
    with running(folder) as client:
        for scope in Scope:
            secret = add_key(keys_path(folder / "gallery"), str(scope), scope, now=time.time())
            KEYS[str(scope)] = secret
        yield client


def bearer(scope: str) -> dict[str, str]:
    """Return the header of a key."""
    return {"Authorization": f"Bearer {KEYS[scope]}"}


def reached(client: httpx.Client, route: str, headers: dict[str, str]) -> int:
    """Return the status of a request to a route."""
    method, path = route.split(" ")
    for part, example in EXAMPLES.items():
        path = path.replace(part, example)
    path = re.sub(r"\{\w+\}", "x", path)
    path = f"{path}/app.js" if path == "/static" else path
    return client.request(method, path, headers=headers).status_code


def test_every_route_has_its_scope() -> None:
    """The table names each route of the app, and no route that there is not."""
    routes = set(routes_of(create_app(Settings(gallery=Path("/nowhere/gallery"))).routes))

    assert sorted(routes - set(SCOPES)) == []
    assert sorted(set(SCOPES) - routes) == []


def test_what_changes_something_is_never_a_read() -> None:
    """Only the named questions are asked by POST."""
    questions = {
        *("/v1/search", "/v1/classify", "/v1/embeddings", "/embeddings"),
        *("/knn-service", "/metadata", "/predict", "/v1/session"),
    }
    for route, scope in SCOPES.items():
        method, path = route.split(" ")
        if method != "GET" and path not in questions:
            assert scope in {Scope.WRITE, Scope.ADMIN}, route


def test_a_route_that_is_missing_in_the_table_demands_too_much() -> None:
    """Looking needs a key, anything else the largest scope."""
    scopes = RouteScopes(Settings())

    assert scopes.needed("GET", "/v2/new") is Scope.READ
    assert scopes.needed("POST", "/v2/new") is Scope.ADMIN
    assert scopes.needed("DELETE", "/v1/items") is Scope.ADMIN
    assert scopes.needed("HEAD", "/metrics") is Scope.ADMIN
    assert scopes.needed("POST", "/v1/items/delete") is Scope.WRITE
    assert scopes.needed("DELETE", "/v1/items/a\nb") is Scope.WRITE


@pytest.mark.parametrize("route", SCOPES)
def test_every_route_keeps_out_who_may_not(closed: httpx.Client, route: str) -> None:
    """Without a key 401, with too small a scope 403, with the scope the route's own answer."""
    needed = RouteScopes(Settings()).needed(*route.split(" "))
    if needed is None:
        if route != "POST /v1/session":
            assert reached(closed, route, {}) not in {401, 403}
        return

    assert reached(closed, route, {}) == 401
    assert reached(closed, route, {"X-API-Key": "sl_wrong"}) == 401
    for scope in SCOPE_NAMES:
        status = reached(closed, route, bearer(scope))
        if Scope(scope).allows(needed):
            assert status not in {401, 403}, scope
        else:
            assert status == 403, scope


def test_refusals_say_what_to_do(closed: httpx.Client) -> None:
    """The one shape of errors, the challenge of RFC 9110, the name of the missing scope."""
    missing = closed.get("/v1/items")
    unknown = closed.get("/v1/items", headers={"Authorization": "Bearer nonsense"})
    small = closed.delete("/v1/items/red", headers=bearer("read"))

    assert error_of(missing, 401)["code"] == "missing_key"
    assert missing.headers["www-authenticate"] == "Bearer"
    assert "nonsense" not in unknown.text
    assert error_of(unknown, 401)["code"] == "unknown_key"
    assert error_of(small, 403)["code"] == "scope"
    assert "needs write" in small.json()["error"]["message"]


def test_keys_are_sent_in_one_of_two_headers(closed: httpx.Client) -> None:
    """Bearer in any case, X-API-Key also beside a proxy's Basic login; never in the address."""
    key = KEYS["read"]
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key}"},
        {"X-API-Key": key},
        {"X-API-Key": key, "Authorization": "Basic dTpw"},
    ):
        assert closed.get("/v1/gallery", headers=headers).status_code == 200
    for headers in ({"Authorization": key}, {"Authorization": "Bearer"}, {"X-API-Key": ""}):
        error_of(closed.get("/v1/gallery", headers=headers), 401)
    error_of(closed.get("/v1/gallery", params={"api_key": key, "key": key}), 401)


def test_the_body_of_a_stranger_is_not_waited_for(closed: httpx.Client) -> None:
    """The answer comes although none of the promised bytes was sent."""
    address = ("127.0.0.1", closed.base_url.port or 0)
    with socket.create_connection(address, timeout=30) as channel:
        channel.sendall(
            b"POST /v1/items HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        )
        assert channel.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_running_service_notices_new_and_revoked_keys(tmp_path: Path) -> None:
    """Open, closed by the first key, closed to a revoked one, closed to all without keys."""
    path = keys_path(tmp_path / "gallery")
    with running(tmp_path) as client:
        assert client.get("/v1/gallery").status_code == 200
        secret = add_key(path, "a", Scope.READ, now=time.time())
        headers = {"X-API-Key": secret}
        error_of(client.get("/v1/gallery"), 401)
        assert client.get("/v1/gallery", headers=headers).status_code == 200
        revoke_key(path, "a")
        assert error_of(client.get("/v1/gallery", headers=headers), 401)["code"] == "unknown_key"
        path.write_text("{")
        answer = client.get("/v1/gallery", headers=headers)
        assert error_of(answer, 503)["code"] == "keys_unreadable"
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_an_open_service_takes_any_key(empty: httpx.Client) -> None:
    """The OpenAI client always sends one."""
    assert empty.get("/v1/gallery", headers={"Authorization": "Bearer any"}).status_code == 200
    assert empty.post("/v1/session").json() == {"name": None, "scope": None, "seconds": 0}


@pytest.mark.parametrize(
    ("setting", "path"),
    [("public_metrics", "/metrics"), ("public_docs", "/openapi.json"), ("public_docs", "/docs")],
)
def test_settings_make_operational_routes_public(tmp_path: Path, setting: str, path: str) -> None:
    """Each has a switch of its own, and the gallery stays closed."""
    add_key(keys_path(tmp_path / "gallery"), "a", Scope.READ, now=time.time())
    with running(tmp_path, **{setting: True}) as client:
        assert client.get(path).status_code == 200
        error_of(client.get("/v1/gallery"), 401)


def test_the_page_can_be_closed_too(tmp_path: Path) -> None:
    """Then its files need a key like everything else."""
    secret = add_key(keys_path(tmp_path / "gallery"), "a", Scope.READ, now=time.time())
    with running(tmp_path, public_page=False) as client:
        for path in ("/", "/static/app.js"):
            error_of(client.get(path), 401)
            assert client.get(path, headers={"X-API-Key": secret}).status_code == 200


def test_the_document_names_the_keys_once_they_are_needed(tmp_path: Path) -> None:
    """An open service documents no key; a closed one two ways to send it, and the scope."""
    with running(tmp_path, public_docs=True) as client:
        before = client.get("/openapi.json").json()
        add_key(keys_path(tmp_path / "gallery"), "a", Scope.READ, now=time.time())
        after = client.get("/openapi.json").json()

    assert "securitySchemes" not in before["components"]
    assert set(after["components"]["securitySchemes"]) == {"bearer", "header"}
    assert after["paths"]["/v1/items"]["post"]["security"] == [{"bearer": []}, {"header": []}]
    assert "scope `write`" in after["paths"]["/v1/items"]["post"]["description"]
    assert "security" not in after["paths"]["/healthz"]["get"]
    assert "security" not in before["paths"]["/v1/items"]["post"]


class TestSession:
    """The cookie of the page, which stands for a key in what only looks."""

    def test_a_key_is_exchanged_for_a_cookie(self, closed: httpx.Client) -> None:
        """Scripts cannot read it, other sites cannot send it, and it does not hold the key."""
        answer = closed.post("/v1/session", headers=bearer("write"))
        cookie = answer.headers["set-cookie"]
        closed.cookies.clear()

        assert answer.json() == {"name": "write", "scope": "write", "seconds": 43200}
        assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert KEYS["write"] not in cookie

    def test_a_cookie_is_for_https_alone_where_the_page_is(self, closed: httpx.Client) -> None:
        """A trusted proxy says how the browser came."""
        headers = {**bearer("read"), "X-Forwarded-Proto": "https"}
        answer = closed.post("/v1/session", headers=headers)
        closed.cookies.clear()

        assert "Secure" in answer.headers["set-cookie"]

    def test_a_wrong_key_gets_no_cookie(self, closed: httpx.Client) -> None:
        """Missing or unknown: 401."""
        for headers in ({}, {"X-API-Key": "sl_wrong"}):
            answer = closed.post("/v1/session", headers=headers)
            assert "set-cookie" not in answer.headers
            error_of(answer, 401)

    def test_a_session_looks_but_does_not_touch(self, tmp_path: Path) -> None:
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
    def test_no_other_page_may_use_the_session(self, closed: httpx.Client, site: str) -> None:
        """Other ports of this machine are the same site to a browser, but not the same origin."""
        closed.post("/v1/session", headers=bearer("read"))
        try:
            error_of(closed.get("/v1/items", headers={"Sec-Fetch-Site": site}), 401)
            foreign = {"Origin": "http://localhost:3000"}
            error_of(closed.post("/v1/search", json={"query": "red"}, headers=foreign), 403)
            assert closed.get("/v1/items", headers={"Sec-Fetch-Site": "none"}).status_code == 200
        finally:
            closed.cookies.clear()

    def test_a_session_ends_with_its_key(self, tmp_path: Path) -> None:
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
    def test_a_forged_cookie_is_nothing(self, closed: httpx.Client, forged: str) -> None:
        """Whatever it holds: 401."""
        cookie = f"{COOKIE}={forged}".encode()
        answer = closed.get("/v1/items", headers=[(b"Cookie", cookie)])

        error_of(answer, 401)


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve an open gallery that lists one page and one host name."""
    folder = tmp_path_factory.mktemp("listing")
    lists = {"cors_origins": ["https://shop.example"], "allowed_hosts": ["Listed.example"]}
    with running(folder, **lists) as client:
        yield client


class TestForeignPages:
    """What pages of other sites make browsers send to a service without keys."""

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 200),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://a.example"}, 200),
            ({"Sec-Fetch-Site": "none"}, 200),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403),
            ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"}, 200),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "{own}"}, 200),
        ],
    )
    def test_only_listed_pages_may_change_something(
        self, listing: httpx.Client, headers: dict[str, str], status: int
    ) -> None:
        """A form of another site can be sent without asking; its origin gives it away."""
        own = str(listing.base_url).rstrip("/")
        sent = {name: value.format(own=own) for name, value in headers.items()}
        answer = listing.post("/v1/items/delete", json={"ids": ["nobody"]}, headers=sent)

        assert answer.status_code == status, answer.text
        assert listing.get("/v1/gallery", headers=sent).status_code == 200
        if status == 403:
            assert error_of(answer, 403)["code"] == "cross_site"

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            *(("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("a.localhost", 200)),
            *(("listed.example:80", 200), ("LISTED.example", 200)),
            *(("evil.example", 403), ("evil.example:8000", 403), ("127.0.0.1.evil.example", 403)),
            *(("localhost.evil.example", 403), ("", 403)),
        ],
    )
    def test_a_name_bent_to_this_machine_is_refused(
        self, listing: httpx.Client, host: str, status: int
    ) -> None:
        """DNS rebinding: the browser believes to talk to another host."""
        answer = listing.get("/v1/gallery", headers={"Host": host})

        assert answer.status_code == status
        if status == 403:
            assert error_of(answer, 403)["code"] == "host"

    def test_a_key_needs_no_name(self, closed: httpx.Client) -> None:
        """Who has a key may come through any proxy and from any page."""
        headers = {**bearer("read"), "Host": "a.example", "Origin": "http://b.example"}

        assert closed.post("/v1/search", json={"query": "x"}, headers=headers).status_code == 200


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


class TestRates:
    """Rate limits, with a clock that the test moves."""

    def test_too_many_requests_are_told_when_to_return(self, tmp_path: Path) -> None:
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

    def test_a_key_has_its_own_rate(self, tmp_path: Path) -> None:
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

    def test_addresses_are_told_apart_behind_a_trusted_proxy(self, tmp_path: Path) -> None:
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


def test_a_proxy_that_is_not_trusted_says_nothing(tmp_path: Path) -> None:
    """The setting is what uvicorn is told."""
    from service.engine import open_engine
    from service.server import _uvicorn_config

    settings = settings_for(tmp_path, trusted_proxies=["10.0.0.1"])
    engine = open_engine(settings, metrics=Metrics(), encoder=FakeEncoder())
    try:
        assert _uvicorn_config(settings, engine, Metrics()).forwarded_allow_ips == ["10.0.0.1"]
    finally:
        engine.close()
