"""Fetching what a list of addresses names, without becoming a door to machines that trust us.

A name is resolved once, every address of it is checked, and the connection goes to the address
that was checked, so that a name that changes its mind in between gains nothing. Redirects go
through the same checks. Proxies and cookies are not used.
"""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urljoin

from core.addresses import Address, Network, is_public, parse_address
from core.errors import FetchError, UsageError
from core.host_names import is_listed
from core.web_address import WebAddress, parse_url

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the network addresses of a name, as text; raises ``OSError``."""

_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": "sightline", "Accept-Encoding": "identity", "Connection": "close"}
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class FetchRules:
    """What may be fetched, and what it may cost."""

    max_bytes: int = 20 * 1024 * 1024
    """Of one answer."""
    timeout_seconds: float = 20.0
    """For everything: the name, the connection, redirects and the whole body."""
    max_redirects: int = 3
    ports: tuple[int, ...] = (80, 443)
    """Elsewhere other services listen."""
    allowed: tuple[Network, ...] = ()
    """Networks that may be asked although they are not public, on any port."""
    hosts: tuple[str, ...] | None = None
    """Patterns of the only hosts that may be asked (``core.host_names``); ``None``: every one."""


class Fetcher:
    """Gets the bytes behind http and https addresses. May be called from several threads."""

    def __init__(self, rules: FetchRules | None = None, *, resolve: Resolve | None = None) -> None:
        """Fetch by the rules; ``resolve`` stands in for the resolver of the system."""
        self.rules = rules or FetchRules()
        self._resolve = resolve or _system_addresses
        self._tls = ssl.create_default_context()

    def fetch(self, url: str) -> bytes:
        """Return the body of the answer.

        Raises:
            UsageError: the address is malformed, or leads to a machine that is not public; its
                code is ``url_refused``.
            FetchError: it does not answer with content, or only with too much or too late.
        """
        deadline = time.monotonic() + self.rules.timeout_seconds
        target = parse_url(url)
        for _ in range(self.rules.max_redirects + 1):
            found = self._visit(target, deadline)
            if isinstance(found, bytes):
                return found
            target = found
        raise FetchError(
            f"{url} redirects more than {self.rules.max_redirects} times", code="fetch_redirects"
        )

    def _visit(self, target: WebAddress, deadline: float) -> bytes | WebAddress:
        """Return the body, or where the answer leads."""
        if self.rules.hosts is not None and not is_listed(target.host, self.rules.hosts):
            raise _refused(target, f"the host {target.host!r} is not listed")
        channel = self._connect(target, deadline)
        with channel, _shut_at(deadline, channel) as late:
            try:
                found = self._exchange(channel, target)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if late.is_set() or isinstance(error, TimeoutError):
                    raise self._too_late(target.host) from error
                raise FetchError(f"{target.url} cannot be fetched: {error!r}") from error
            # To a body of no stated length being cut looks like its end.
            if late.is_set():
                raise self._too_late(target.host)
            return found

    def _exchange(self, channel: socket.socket, target: WebAddress) -> bytes | WebAddress:
        if isinstance(channel, ssl.SSLSocket):
            channel.do_handshake()
        connection = http.client.HTTPConnection(target.host, target.port)
        # Without this it would connect anew, to any address, if the socket were lost.
        connection.auto_open = 0
        connection.sock = channel
        connection.request("GET", target.path, headers={"Host": target.host_header, **_HEADERS})
        with connection.getresponse() as answer:
            return self._content(answer, target)

    def _content(self, answer: http.client.HTTPResponse, target: WebAddress) -> bytes | WebAddress:
        if answer.status in _REDIRECTS:
            return parse_url(urljoin(target.url, answer.getheader("Location") or ""))
        if answer.status != _OK:
            raise FetchError(
                f"{target.url} answers {answer.status} {answer.reason}", code="fetch_status"
            )
        if answer.getheader("Content-Encoding", "identity") != "identity":
            raise FetchError(
                f"{target.url} sends compressed content, which was not asked for",
                code="fetch_encoding",
            )
        return self._body(answer, target)

    def _body(self, answer: http.client.HTTPResponse, target: WebAddress) -> bytes:
        body = bytearray()
        limit = self.rules.max_bytes
        if (answer.length or 0) <= limit:
            while len(body) <= limit and (chunk := answer.read(_CHUNK_BYTES)):
                body += chunk
            if len(body) <= limit:
                if answer.length:
                    raise http.client.IncompleteRead(b"", answer.length)
                return bytes(body)
        raise FetchError(
            f"{target.url} has more bytes than the limit of {limit}", code="fetch_too_large"
        )

    def _connect(self, target: WebAddress, deadline: float) -> socket.socket:
        problem: OSError | None = None
        for address in self._checked_addresses(target, deadline):
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                raise self._too_late(target.host)
            try:
                channel = socket.create_connection((str(address), target.port), timeout=seconds)
            except OSError as error:
                problem = error
                continue
            if not target.is_encrypted:
                return channel
            return self._tls.wrap_socket(
                channel, server_hostname=target.host, do_handshake_on_connect=False
            )
        if isinstance(problem, TimeoutError):
            raise self._too_late(target.host) from problem
        raise FetchError(f"{target.host} cannot be reached: {problem}") from problem

    def _checked_addresses(self, target: WebAddress, deadline: float) -> list[Address]:
        texts = self._resolved(target, deadline)
        addresses = [parse_address(text) for text in dict.fromkeys(texts)]
        for address in addresses:
            if any(address in network for network in self.rules.allowed):
                continue
            if not is_public(address):
                raise _refused(target, f"its address {address} is not public")
            if target.port not in self.rules.ports:
                listed = ", ".join(map(str, self.rules.ports))
                raise _refused(target, f"the port {target.port} is not one of {listed}")
        return addresses

    def _resolved(self, target: WebAddress, deadline: float) -> Sequence[str]:
        """Return the addresses of a name; the system's resolver knows no deadline of its own."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(target.host, target.port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty as error:
            raise self._too_late(target.host) from error
        if isinstance(found, Exception):
            raise FetchError(f"the name {target.host!r} is not known: {found}") from found
        return found

    def _too_late(self, host: str) -> FetchError:
        return FetchError(
            f"{host} did not answer in full within {self.rules.timeout_seconds:g} seconds",
            code="fetch_timeout",
        )


@contextmanager
def _shut_at(deadline: float, channel: socket.socket) -> Iterator[threading.Event]:
    """Cut a connection at the deadline, however slowly it drips; the event tells of it."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        # The other side may have hung up in this moment.
        with suppress(OSError):
            # The plain socket's method: a TLS one would first tidy up under its reader's hands.
            socket.socket.shutdown(channel, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


def _system_addresses(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _refused(target: WebAddress, reason: str) -> UsageError:
    return UsageError(
        f"{target.url} is not fetched: {reason}; allow it if that is what you want",
        code="url_refused",
        param="url",
    )
