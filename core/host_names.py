"""Names of hosts: which of them a list of patterns lets through."""

from __future__ import annotations

from collections.abc import Sequence

EVERY_PUBLIC_HOST = "*"

_OF_THIS_NETWORK = (
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
)
"""Names that mean something else in every network (RFC 6761, 6762, 8375; ICANN's ``.internal``)."""


def is_listed(host: str, patterns: Sequence[str]) -> bool:
    """Return whether a host, ASCII and in lower case, fits one of the patterns.

    ``cdn.example`` is that host, ``*.cdn.example`` each one below it, and ``*`` each host with a
    public name or address: one with a dot inside, not at the end, and none of a local network.
    A name with a dot at its end is another spelling of the same host and fits nothing.
    """
    return any(_fits(host, pattern.lower()) for pattern in patterns)


def _fits(host: str, pattern: str) -> bool:
    if pattern == EVERY_PUBLIC_HOST:
        return _looks_public(host)
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return host == pattern


def _looks_public(host: str) -> bool:
    if ":" in host:
        return True
    if "." not in host or host.startswith(".") or host.endswith("."):
        return False
    return not any(host.endswith(f".{suffix}") for suffix in _OF_THIS_NETWORK)
