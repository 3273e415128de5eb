"""A real web server on the loopback interface, for tests of fetching."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

from core.fetching import FetchRules

LOOPBACK = (ip_network("127.0.0.1/32"),)
Page = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(pages: dict[str, Page], *, certificate: Path | None = None) -> Iterator[str]:
    """Serve pages by path; yield the address of the server. A certificate makes it speak TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            pages.get(self.path.partition("?")[0], status(404))(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda request, client: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def body(data: bytes, **headers: str) -> Page:
    """Answer 200 with a body of a stated length."""

    def page(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        for name, value in {"Content_Length": str(len(data)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return page


def status(code: int, **headers: str) -> Page:
    """Answer a status without a body."""

    def page(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in {"Content_Length": "0", **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()

    return page


def loopback_rules(**changes: float) -> FetchRules:
    """Return rules under which the server may be asked."""
    return FetchRules(allowed=LOOPBACK, **changes)  # type: ignore[arg-type]
