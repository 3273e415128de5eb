"""Rules of core.fetching, against a real server on the loopback interface and real resolvers."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from core.errors import FetchError, SightlineError, UsageError
from core.fetching import Fetcher, FetchRules
from tests.core.web import LOOPBACK, body, loopback_rules, serving, status


@pytest.fixture
def untouched() -> Iterator[int]:
    """Yield the port of a listener on the loopback interface that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
        readable, _, _ = select.select([listener], [], [], 0)
        assert readable == [], "somebody connected"


def refused(url: str, fetcher: Fetcher | None = None) -> str:
    """Return why an address is refused."""
    with pytest.raises(UsageError) as caught:
        (fetcher or Fetcher()).fetch(url)
    assert caught.value.code == "url_refused"
    return str(caught.value)


def failed(fetcher: Fetcher, url: str) -> str:
    """Return the code of the failure."""
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(url)
    return caught.value.code


def test_the_body_comes_back() -> None:
    """A stated length, an unstated one, an empty body."""

    def unstated(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)

    pages = {"/a": body(b"bytes"), "/b": unstated, "/c": body(b"")}
    with serving(pages) as server:
        fetcher = Fetcher(loopback_rules())
        assert fetcher.fetch(f"{server}/a?size=big#top") == b"bytes"
        assert fetcher.fetch(f"{server}/b") == b"x" * 100_000
        assert fetcher.fetch(f"{server}/c") == b""


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "localhost"),
        *("[::ffff:127.0.0.1]", "0.0.0.0"),
    ],
)
def test_no_spelling_of_this_machine_is_asked(host: str, untouched: int) -> None:
    """The resolver turns each into an address that is not public; nothing connects."""
    assert "is not public" in refused(f"http://{host}:{untouched}/")


def test_every_address_of_a_name_is_checked(untouched: int) -> None:
    """One private address among public ones refuses the name."""

    def mixed(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "127.0.0.1"]

    assert "127.0.0.1 is not public" in refused("http://a.example/", Fetcher(resolve=mixed))


def test_a_name_that_changes_its_mind_gains_nothing(untouched: int) -> None:
    """It is asked once: the connection goes to the address that was checked."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["203.0.113.1" if len(asked) > 1 else "127.0.0.1"]

    with serving({"/": body(b"ours")}) as server:
        port = server.rpartition(":")[2]
        fetcher = Fetcher(loopback_rules(), resolve=rebinding)
        assert fetcher.fetch(f"http://rebind.example:{port}/") == b"ours"
    assert asked == ["rebind.example"]


def test_only_web_ports_are_asked() -> None:
    """Another service of a public host is none of ours."""

    def public(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    assert "port 22 is not one of 80, 443" in refused(
        "http://a.example:22/", Fetcher(resolve=public)
    )


def test_redirects_are_followed_and_checked_again(untouched: int) -> None:
    """To a page, to a private machine, to a file, in circles, and to nowhere."""
    pages = {
        "/": status(302, Location="/there"),
        "/there": body(b"here"),
        "/private": status(302, Location="http://169.254.169.254/"),
        "/six": status(307, Location=f"http://[::1]:{untouched}/"),
        "/file": status(301, Location="file:///etc/passwd"),
        "/loop": status(307, Location="/loop"),
        "/nowhere": status(302),
    }
    with serving(pages) as server:
        fetcher = Fetcher(loopback_rules())
        assert fetcher.fetch(f"{server}/") == b"here"
        assert "169.254.169.254 is not public" in refused(f"{server}/private", fetcher)
        assert "is not public" in refused(f"{server}/six", fetcher)
        assert "scheme is 'file'" in refused(f"{server}/file", fetcher)
        assert failed(fetcher, f"{server}/loop") == "fetch_redirects"
        assert failed(fetcher, f"{server}/nowhere") == "fetch_redirects"


def test_only_listed_hosts_are_asked(untouched: int) -> None:
    """Also when a listed one redirects to another."""
    pages = {"/": body(b"here"), "/away": status(302, Location=f"http://localhost:{untouched}/")}
    with serving(pages) as server:
        fetcher = Fetcher(FetchRules(allowed=LOOPBACK, hosts=("127.0.0.1",)))
        assert fetcher.fetch(f"{server}/") == b"here"
        assert "'localhost' is not listed" in refused(f"{server}/away", fetcher)
        assert "not listed" in refused(f"http://localhost:{untouched}/", fetcher)


def test_too_many_bytes_are_not_read() -> None:
    """Whether the answer says how many there are or just goes on."""

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            return

    with serving({"/big": body(b"x" * 1001), "/endless": endless}) as server:
        fetcher = Fetcher(loopback_rules(max_bytes=1000))
        assert failed(fetcher, f"{server}/big") == "fetch_too_large"
        assert failed(fetcher, f"{server}/endless") == "fetch_too_large"


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", b"HTTP/1.1 200 OK\r\n\r\nx"],
    ids=["nothing", "stated", "unstated"],
)
def test_an_answer_that_drips_is_cut_at_the_deadline(start: bytes) -> None:
    """Bytes that keep coming do not extend the time, in the head or in the body."""
    done = threading.Event()

    def dripping(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(start)
        done.wait(30)

    try:
        with serving({"/": dripping}) as server:
            code = failed(Fetcher(loopback_rules(timeout_seconds=0.3)), f"{server}/")
            done.set()
    finally:
        done.set()
    assert code == "fetch_timeout"


def test_a_resolver_that_hangs_is_left_behind() -> None:
    """The system's resolver knows no deadline, so it is asked in a thread."""
    release = threading.Event()

    def hanging(host: str, port: int) -> Sequence[str]:
        release.wait(30)
        return []

    fetcher = Fetcher(FetchRules(timeout_seconds=0.05), resolve=hanging)
    assert failed(fetcher, "http://a.example/") == "fetch_timeout"
    release.set()


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (status(404), "fetch_status"),
        (status(204), "fetch_status"),
        (body(b"xx", Content_Encoding="gzip"), "fetch_encoding"),
        (body(b"short", Content_Length="99"), "fetch"),
        (lambda request: request.wfile.write(b"SSH-2.0-x\r\n"), "fetch"),
    ],
)
def test_what_is_no_plain_answer_is_a_failure(
    page: Callable[[BaseHTTPRequestHandler], None], code: str
) -> None:
    """Other statuses, compressed and cut bodies, other protocols."""
    with serving({"/": page}) as server:
        assert failed(Fetcher(loopback_rules()), f"{server}/") == code


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return key and certificate of a.example in one file, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    names = ["-subj", "/CN=a.example", "-addext", "subjectAltName=DNS:a.example"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{path}.key", "-out", f"{path}.crt"]
    command = [openssl, "req", *kind, "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(b"".join(Path(f"{path}{end}").read_bytes() for end in (".key", ".crt")))
    return path


def test_https_is_checked_by_the_name_while_the_address_is_pinned(certificate: Path) -> None:
    """A certificate of another name, or of nobody we trust, gives no content."""

    def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    with serving({"/": body(b"secret")}, certificate=certificate) as server:
        port = server.rpartition(":")[2]
        fetcher = Fetcher(loopback_rules(), resolve=here)
        assert failed(fetcher, f"https://a.example:{port}/") == "fetch"
        fetcher._tls.load_verify_locations(certificate)
        assert fetcher.fetch(f"https://a.example:{port}/") == b"secret"
        assert failed(fetcher, f"https://b.example:{port}/") == "fetch"


def test_who_is_not_there_is_a_failure() -> None:
    """A name that nobody knows, a port that nobody listens on, no TLS where https is asked."""

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "unknown")

    assert failed(Fetcher(resolve=unknown), "http://a.example/") == "fetch"
    with serving({}) as server:
        encrypted = server.replace("http:", "https:")
        assert failed(Fetcher(loopback_rules()), f"{encrypted}/") == "fetch"
    assert failed(Fetcher(loopback_rules()), f"{server}/") == "fetch"


def test_every_failure_is_one_of_ours() -> None:
    """Nothing but the two documented errors leaves, whatever the address is."""
    for url in ("", "http://", "http://[", "\ud800", "http://a.example:-1/"):
        with pytest.raises(SightlineError):
            Fetcher(resolve=lambda host, port: []).fetch(url)
