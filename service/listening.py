"""The sockets that a service listens on."""

from __future__ import annotations

import errno
import socket

from core.errors import ConfigError, StorageError


def bound_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that is bound, and does not listen yet.

    With ``shared`` other processes of this user may bind the same port, and the system spreads new
    connections over those that listen (``SO_REUSEPORT``, Linux).

    Raises:
        ConfigError: the host is no address of this machine.
        StorageError: the port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restart need not wait for the old connections to be forgotten by the system.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _bind_error(host, port, error) from error
    return listener


def reserved_socket(host: str, port: int) -> socket.socket:
    """Return a shared socket that holds a port which no other program had before.

    It never listens: connections go to the processes that bind the same port and do.

    Raises:
        ConfigError: the host is no address of this machine.
        StorageError: the port is taken, or may not be used.
    """
    # Sharing would succeed beside another program that shares as well.
    with bound_socket(host, port) as alone:
        free_port = alone.getsockname()[1]
    return bound_socket(host, free_port, shared=True)


def url_of(host: str, port: int) -> str:
    """Return the address to type into a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - any interface
    bracketed = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
    return f"http://{bracketed}:{port}"


def _bind_error(host: str, port: int, error: OSError) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return StorageError(
            f"port {port} on {host} is in use; stop the other program or choose "
            f"another port: --port {port + 1}"
        )
    if isinstance(error, socket.gaierror):
        return ConfigError(f"host = {host!r} is no address of this machine: {error}")
    return StorageError(f"cannot listen on {host}:{port}: {error.strerror or error}")
