"""A server that plays a script: what it answers to the first request, the second, and so on.

The requests of a connection are read whole before the answer, so a client never fails in the
middle of sending by accident.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

DROP = b""
"""Close the connection without a word."""


Answer = bytes | Callable[[bytes], bytes]
"""Bytes to send, or what makes them of the request."""


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer that closes its connection."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def error(status: int, code: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return an answer with an error of the one shape."""
    body = {"type": code, "message": f"it is {code}", "param": None, "code": code}
    return answer(status, {"error": body}, headers)


@dataclass(slots=True)
class Scripted:
    """The address of the server and the requests that it got."""

    url: str
    requests: list[bytes] = field(default_factory=list)

    def headers(self, name: str) -> list[str]:
        """Return the values of a header, one for each request."""
        wanted = name.lower()
        return [
            line.partition(":")[2].strip()
            for request in self.requests
            for line in request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
            if line.partition(":")[0].lower() == wanted
        ]


@contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    """Serve one answer after another, each on a connection of its own; the last one for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(300)
        server = Scripted(f"http://127.0.0.1:{listening.getsockname()[1]}")
        stopped = threading.Event()
        thread = threading.Thread(target=_play, args=(listening, server, answers, stopped))
        thread.start()
        try:
            yield server
        finally:
            stopped.set()
            # Wakes the thread that waits for a connection.
            socket.create_connection(listening.getsockname()).close()
            thread.join(120)
            assert not thread.is_alive()


def _play(
    listening: socket.socket, server: Scripted, answers: Sequence[Answer], stopped: threading.Event
) -> None:
    while True:
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(300)
            if stopped.is_set():
                return
            # A client may leave at any moment.
            with suppress(ConnectionError):
                request = _read_request(connection)
                if request:
                    chosen = answers[min(len(server.requests), len(answers) - 1)]
                    server.requests.append(request)
                    connection.sendall(chosen if isinstance(chosen, bytes) else chosen(request))


def _read_request(connection: socket.socket) -> bytes:
    """Return a whole request; nothing where the client went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return b""
        body += more
    return head + b"\r\n\r\n" + body
