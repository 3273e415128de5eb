"""Requests written byte by byte, for what no HTTP library would send."""

from __future__ import annotations

import socket

import httpx


def connected(client: httpx.Client, *, timeout_s: float = 60) -> socket.socket:
    """Return a new connection to the server of ``client``; the caller closes it."""
    address = (client.base_url.host, int(client.base_url.port or 0))
    return socket.create_connection(address, timeout=timeout_s)


def status_of(answer: bytes) -> int:
    """Return the status of the first answer in what was read, 0 for none."""
    parts = answer.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/") else 0


def read_all(connection: socket.socket) -> bytes:
    """Return everything up to the end of the connection; a reset ends it too."""
    data = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionError:
            return data
        if not part:
            return data
        data += part


def exchange(client: httpx.Client, request: bytes, *, then_close: bool = False) -> bytes:
    """Send raw bytes and return all that comes back until the server closes."""
    with connected(client) as connection:
        try:
            connection.sendall(request)
            if then_close:
                connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        return read_all(connection)
