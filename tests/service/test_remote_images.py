"""Images by URL over the real API: what is refused, what is loaded, and that nothing else is asked.

A listener on the loopback interface stands for the machines that trust this one; it must not see a
single connection.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from core.errors import ConfigError
from core.fetching import Resolve
from service.app import create_app
from service.remote_images import RemoteImages
from service.settings import Settings
from tests.core.web import Page, body, status
from tests.core.web import serving as web
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import add_colours, error_of, running, serving, settings_for

PUBLIC = "93.184.216.34"
EVERY_HOST: dict[str, Any] = {"fetch_urls": True, "fetch_hosts": ["*"], "fetch_timeout_s": 60.0}
HERE: dict[str, Any] = {
    "fetch_urls": True,
    "fetch_hosts": ["127.0.0.1", "*.example"],
    "fetch_networks": ["127.0.0.1/32"],
    "fetch_timeout_s": 60.0,
}


@contextmanager
def untouched() -> Iterator[int]:
    """Yield the port of listeners on both loopback addresses that nobody may connect to."""
    listeners = [socket.create_server(("127.0.0.1", 0))]
    port = listeners[0].getsockname()[1]
    if socket.has_ipv6:
        # In a container without IPv6 nobody can connect by it either.
        with contextlib.suppress(OSError):
            listeners.append(socket.create_server(("::1", port), family=socket.AF_INET6))
    try:
        yield port
        readable, _, _ = select.select(listeners, [], [], 0)
        assert readable == [], "somebody connected"
    finally:
        for listener in listeners:
            listener.close()


@contextmanager
def fetching(
    folder: Path, resolve: Resolve | None = None, **changes: Any
) -> Iterator[httpx.Client]:
    """Serve a gallery that loads URLs, with a resolver of the test's own."""
    settings = settings_for(folder, **changes)
    app: FastAPI = create_app(settings, encoder=FakeEncoder())
    with serving(app) as client:
        app.state.engine.remote_images.close()
        app.state.engine.remote_images = RemoteImages(settings, resolve=resolve)
        yield client


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a gallery that may load from every public host."""
    with fetching(tmp_path_factory.mktemp("everywhere"), **EVERY_HOST) as client:
        yield client


def asked(client: httpx.Client, url: str) -> list[httpx.Response]:
    """Name an address wherever an image can be named."""
    labels = {"labels": ["a", "b"]}
    return [
        client.post("/v1/classify", json={"image_url": url, **labels}),
        client.post("/v1/classify", json={"image": url, **labels}),
        client.post("/v1/search", json={"image_url": url}),
        client.post("/v1/search", json={"query": [{"image_url": url}]}),
        client.post("/v1/items", json={"items": [{"image_url": url}]}),
        client.post("/v1/embeddings", json={"input": [{"image": url}]}),
        client.post("/v1/embeddings", json={"input": [{"type": "image_url", "image_url": url}]}),
        client.post("/knn-service", json={"image_url": url, "num_images": 1, "indice_name": ""}),
    ]


FORBIDDEN = (
    *("http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://0x7f000001:{port}/"),
    *("http://2130706433:{port}/", "http://017700000001:{port}/", "http://0:{port}/"),
    *("http://localhost:{port}/", "http://a.localhost:{port}/", "http://0.0.0.0:{port}/"),
    *("http://127.0.0.1:{port}#@ok.com", "http://ok.com@127.0.0.1:{port}/"),
    *("http://user:secret@ok.com/", "http://127.0.0.1:{port}\\@ok.com/"),
    *("http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::127.0.0.1]:{port}/"),
    *("http://[::ffff:169.254.169.254]/", "http://[::10.0.0.1]/", "http://[64:ff9b::10.0.0.1]/"),
    *("http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]/", "http://[fec0::1]/"),
    *("http://[fe80::1%25lo]/", "http://[2001:0:7f00:1::]/", "http://[ff02::1]/"),
    *("http://224.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"),
    *("http://192.168.0.1/", "http://172.16.0.1/", "http://100.64.0.1/", "http://255.255.255.255/"),
    *("http://printer.local/", "http://api.internal/", "http://intranet/", "http://ok.com./"),
    *("http://93.184.216.34:22/", "http://93.184.216.34:{port}/", "https://93.184.216.34:8443/"),
    *("http://ok.com:99999/", "http://ok.com:-1/", "http:///etc/passwd", "http://"),
    *("http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{port}/", "http://[::1"),
    *("http://127\u30020\u30020\u30021:{port}/", "http://a b/", "http://a\r\nX: y/"),
)
"""The table of addresses that lead, or seem to lead, to where nobody outside may look."""


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_address_leads_inside(everywhere: httpx.Client, pattern: str) -> None:
    """Refused with 400 wherever it is named, and no packet reaches the listener."""
    with untouched() as port:
        for answer in asked(everywhere, pattern.format(port=port)):
            error = error_of(answer, 400)
            assert error["code"] == "url_refused", answer.text
            assert error["param"], answer.text


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://ok.com/a", "gopher://ok.com/", "//ok.com/a", "/etc/passwd"]
)
def test_only_the_web_is_asked(everywhere: httpx.Client, url: str) -> None:
    """No other scheme, and no path of this machine."""
    answer = everywhere.post("/v1/search", json={"image_url": url})

    assert error_of(answer, 400)["code"] == "url_refused"


def answering(*addresses: str) -> Resolve:
    """Return a resolver that gives one address after the other; the last one stays."""
    left = list(addresses)

    def resolve(host: str, port: int) -> Sequence[str]:
        return [left.pop(0) if len(left) > 1 else left[0]]

    return resolve


def test_a_name_that_means_this_machine_is_refused(tmp_path: Path) -> None:
    """Also when a public address stands beside the private one."""

    def both(host: str, port: int) -> Sequence[str]:
        return [PUBLIC, "127.0.0.1"]

    with untouched() as port:
        for number, resolve in enumerate((answering("127.0.0.1"), answering("::1"), both)):
            with fetching(tmp_path / str(number), resolve, **EVERY_HOST) as client:
                answer = client.post(
                    "/v1/search", json={"image_url": f"http://evil.example:{port}/"}
                )
                assert error_of(answer, 400)["code"] == "url_refused"


def test_a_name_that_changes_its_mind_gains_nothing(tmp_path: Path) -> None:
    """The address that was checked is the one that is asked: the second answer is never used."""
    asked_names: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked_names.append(host)
        return ["127.0.0.1"] if len(asked_names) == 1 else ["127.0.0.2"]

    pages = {"/a.png": body(picture_bytes("red"))}
    with web(pages) as server, fetching(tmp_path, rebinding, **HERE) as client:
        port = server.rpartition(":")[2]
        url = f"http://rebind.example:{port}/a.png"
        answer = client.post("/v1/classify", json={"image_url": url, "labels": ["red", "blue"]})

    assert answer.status_code == 200, answer.text
    assert asked_names == ["rebind.example"]


def gzipped(request: BaseHTTPRequestHandler) -> None:
    """Send compressed content although none was asked for."""
    body(b"\x1f\x8b" + b"x" * 50, Content_Encoding="gzip")(request)


def endless(request: BaseHTTPRequestHandler) -> None:
    """Send bytes until the other side has had enough."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while True:
            request.wfile.write(b"x" * 65536)
    except OSError:
        return


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str]]:
    """Serve a gallery and a web server that it may load from; yield client and address."""
    pages: dict[str, Page] = {
        "/red.png": body(picture_bytes("red")),
        "/blue.png": body(picture_bytes("blue")),
        "/html": body(b"<html>hello</html>", Content_Type="image/png"),
        "/empty": body(b""),
        "/gzip": gzipped,
        "/endless": endless,
        "/large": body(b"x" * 300_000),
        "/cut": body(b"short", Content_Length="99"),
        "/to-red": status(302, Location="/red.png"),
        "/to-file": status(302, Location="file:///etc/passwd"),
        "/to-metadata": status(302, Location="http://169.254.169.254/"),
        "/to-other-host": status(302, Location="http://localhost/"),
        "/to-unlisted": status(307, Location="http://unlisted.test/"),
        "/to-login": status(302, Location="http://u:p@127.0.0.1/"),
        "/loop": status(307, Location="/loop"),
        "/teapot": status(418),
    }
    folder = tmp_path_factory.mktemp("near")
    with web(pages) as server, fetching(folder, max_image_bytes=200_000, **HERE) as client:
        add_colours(client)
        yield client, server


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/to-file", "url_refused"),
        ("/to-metadata", "url_refused"),
        ("/to-other-host", "url_refused"),
        ("/to-unlisted", "url_refused"),
        ("/to-login", "url_refused"),
        ("/loop", "fetch_redirects"),
        ("/endless", "fetch_too_large"),
        ("/large", "fetch_too_large"),
        ("/gzip", "fetch_encoding"),
    ],
)
def test_what_an_address_answers_is_refused_too(
    near: tuple[httpx.Client, str], path: str, code: str
) -> None:
    """Redirects go through the same checks; what is too much or compressed is not read."""
    client, server = near
    for answer in asked(client, f"{server}{path}"):
        assert error_of(answer, 400)["code"] == code


@pytest.mark.parametrize(
    ("path", "status_code"), [("/teapot", 502), ("/cut", 502), ("/html", 415), ("/empty", 422)]
)
def test_a_server_that_fails_is_another_failure(
    near: tuple[httpx.Client, str], path: str, status_code: int
) -> None:
    """502 for the server, and the usual answers for content that is no picture."""
    client, server = near
    for answer in asked(client, f"{server}{path}"):
        error_of(answer, status_code)


def test_a_server_that_is_not_there_is_502(tmp_path: Path) -> None:
    """Nobody listens, or nobody knows the name."""

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "unknown")

    # Bound, so that nobody else gets the port, but not listening.
    with socket.socket() as silent, fetching(tmp_path, **HERE) as client:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert error_of(client.post("/v1/search", json={"image_url": url}), 502)["type"] == "fetch"
    with fetching(tmp_path / "b", unknown, **EVERY_HOST) as client:
        url = "http://nobody.knows/"
        assert error_of(client.post("/v1/search", json={"image_url": url}), 502)["type"] == "fetch"


def test_an_address_is_as_good_as_its_picture(near: tuple[httpx.Client, str]) -> None:
    """The answers are those of the uploaded picture; redirects within the rules are followed."""
    client, server = near
    for path in ("/red.png", "/to-red"):
        url = f"{server}{path}"
        found = client.post("/v1/search", json={"image_url": url, "k": 1}).json()["hits"][0]
        term = client.post("/v1/search", json={"query": [{"image_url": url}], "k": 1})
        labels = client.post("/v1/classify", json={"image_url": [url], "labels": ["red", "blue"]})
        vector = client.post("/v1/embeddings", json={"input": [{"image": url}]}).json()
        uploaded = client.post("/v1/search", files={"image": picture_bytes("red")}, data={"k": 1})

        assert found == uploaded.json()["hits"][0]
        assert term.json()["hits"][0]["id"] == "red"
        assert labels.json()["results"][0]["label"] == "red"
        assert len(vector["data"][0]["embedding"]) == 8


def test_a_bad_address_harms_no_neighbour(near: tuple[httpx.Client, str]) -> None:
    """Each image of a request has its own outcome, in order."""
    client, server = near
    urls = [f"{server}/red.png", f"{server}/to-file", f"{server}/teapot", f"{server}/blue.png"]
    labels = client.post("/v1/classify", json={"image_url": urls, "labels": ["red", "blue"]})
    items = [{"image_url": url, "id": f"item-{place}"} for place, url in enumerate(urls)]
    added = client.post("/v1/items", json={"items": items})
    client.post("/v1/items/delete", json={"ids": [item["id"] for item in items]})

    found = labels.json()["results"]
    assert [entry["status"] for entry in found] == ["ok", "error", "error", "ok"]
    assert [found[0]["label"], found[3]["label"]] == ["red", "blue"]
    assert found[1]["error"]["param"] == "image_url[1]"
    outcomes = [entry["status"] for entry in added.json()["results"]]
    assert outcomes == ["created", "error", "error", "created"]


def test_both_an_image_and_an_address_is_a_contradiction(near: tuple[httpx.Client, str]) -> None:
    """An item has one image, a term is one thing."""
    client, server = near
    both = {"image": "aGFsbG8=", "image_url": f"{server}/red.png"}

    error_of(client.post("/v1/items", json={"items": [both]}), 400)
    error_of(client.post("/v1/search", json={"query": [both]}), 400)


def test_a_server_that_drips_is_left_at_the_deadline(tmp_path: Path) -> None:
    """The answer comes although the page never ends, and the place is free again."""
    done = threading.Event()

    def dripping(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
        done.wait(60)

    try:
        with web({"/": dripping}) as server:
            changes = {**HERE, "fetch_timeout_s": 0.3, "request_threads": 2}
            with fetching(tmp_path, **changes) as client:
                late = client.post("/v1/search", json={"image_url": f"{server}/"})
                # Only one place is there: were it taken, this would be 429.
                after = client.post("/v1/search", json={"image_url": "file:///"})
                done.set()
    finally:
        done.set()
    assert error_of(late, 502)["code"] == "fetch_timeout"
    assert error_of(after, 400)["code"] == "url_refused"


def test_waiting_for_addresses_leaves_threads_for_the_others(tmp_path: Path) -> None:
    """Half of the threads may wait for web servers; the next request by URL gets 429 at once."""
    entered, done = threading.Event(), threading.Event()

    def held(request: BaseHTTPRequestHandler) -> None:
        entered.set()
        done.wait(60)
        body(picture_bytes("red"))(request)

    answers: list[httpx.Response] = []
    changes = {**HERE, "fetch_timeout_s": 60.0, "request_threads": 2}
    with web({"/": held}) as server, fetching(tmp_path, **changes) as client:

        def wait() -> None:
            answers.append(client.post("/v1/search", json={"image_url": f"{server}/"}))

        waiting = threading.Thread(target=wait)
        waiting.start()
        try:
            assert entered.wait(30)
            refused = client.post("/v1/search", json={"image_url": f"{server}/"})
            other = client.get("/v1/search?q=red")
        finally:
            done.set()
            waiting.join(60)

    assert error_of(refused, 429)["type"] == "busy"
    assert other.status_code == 200
    assert [answer.status_code for answer in answers] == [200]


def test_nothing_is_loaded_unless_it_is_switched_on(tmp_path: Path) -> None:
    """The default: every way to name an address is refused, and nobody is asked."""
    with untouched() as port, running(tmp_path) as client:
        for answer in asked(client, f"http://127.0.0.1:{port}/a.png"):
            assert error_of(answer, 400)["code"] == "fetch_disabled"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fetch_urls": True}, "fetch_hosts is empty"),
        ({"fetch_networks": ("10.0.0.1/8",)}, "10.0.0.1/8"),
        ({"fetch_networks": ("everywhere",)}, "everywhere"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any], message: str) -> None:
    """Fetching needs a list of hosts; networks are networks."""
    with pytest.raises(ConfigError, match=message):
        Settings(**changes)


def test_addresses_stay_out_of_the_log(
    near: tuple[httpx.Client, str], caplog: pytest.LogCaptureFixture
) -> None:
    """An address can hold a signature or a token: its failure is logged by its code alone."""
    client, server = near
    caplog.set_level("DEBUG")
    client.post("/v1/search", json={"image_url": f"{server}/teapot?token=secret-token"})
    ours = [record for record in caplog.records if record.name.startswith("service")]

    assert any(vars(record).get("code") == "fetch_status" for record in ours)
    assert not any("secret-token" in str(vars(record)) for record in ours)
