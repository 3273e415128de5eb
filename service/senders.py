"""What the headers of a request say of who sends it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from starlette.types import Scope

from service.sessions import COOKIE

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({None, "same-origin", "none"})
_NETWORK_BITS = 64


@dataclass(frozen=True, slots=True)
class Sender:
    """The headers that tell of the sender; ``None``: not sent."""

    address: str
    """Of the client: an IPv4 address, or the /64 network of an IPv6 one."""
    is_safe: bool
    """The method changes nothing (RFC 9110, section 9.2.1)."""
    secret: str | None
    """The API key."""
    cookie: str | None
    """The session of the page."""
    host: str | None
    """``Host``: the name and port that the client believes to talk to."""
    origin: str | None
    """``Origin``: the page that sends the request."""
    site: str | None
    """``Sec-Fetch-Site``: how that page is related to this service; browsers alone send it."""

    def is_cross_site(self) -> bool:
        """Return whether a browser says that the request comes from another page than ours."""
        return self.site not in _OWN_SITES


def sender_of(scope: Scope) -> Sender:
    """Return what the headers of a request say."""
    found = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _NAMES}
    return Sender(
        address=_network_of((scope.get("client") or ("unknown",))[0]),
        is_safe=scope["method"] in _SAFE_METHODS,
        secret=_bearer(found.get(b"authorization")) or found.get(b"x-api-key"),
        cookie=_session(found.get(b"cookie", "")),
        host=found.get(b"host"),
        origin=found.get(b"origin"),
        site=found.get(b"sec-fetch-site"),
    )


_NAMES = frozenset(
    {b"authorization", b"x-api-key", b"cookie", b"host", b"origin", b"sec-fetch-site"}
)


def _bearer(value: str | None) -> str | None:
    """Return the token of a Bearer header; another scheme belongs to a proxy in front."""
    scheme, _, token = (value or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _session(value: str) -> str | None:
    for pair in value.split(";"):
        name, _, content = pair.strip().partition("=")
        if name == COOKIE:
            return content
    return None


def _network_of(address: str) -> str:
    """Return what counts as one client: who has an IPv6 address has 2 to the 64 of them."""
    if ":" not in address:
        return address
    try:
        network = ipaddress.ip_network((address.partition("%")[0], _NETWORK_BITS), strict=False)
    except ValueError:
        return address
    return str(network)
