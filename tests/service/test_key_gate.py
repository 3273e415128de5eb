"""The gate in front of every route: keys, scopes, sessions, foreign pages and rates over HTTP."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.keys import Scope, add_key, keys_path, revoke_key
from service.metrics import Metrics
from service.scopes import SCOPES, RouteScopes
from service.settings import Settings
from tests.fakes import FakeEncoder
from tests.service.closed_gallery import KEYS, bearer
from tests.service.observing import wait_until_ready
from tests.service.running import error_of, running, settings_for
from tests.service.test_app import routes_of

SCOPE_NAMES = ("read", "write", "admin")
EXAMPLES = {"{item_id}": "red", "{name}": "start.js", "{model}": "fake"}


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
    with socket.create_connection(address, timeout=60) as channel:
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
        wait_until_ready(client)


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
