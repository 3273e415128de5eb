"""Addresses on the web, taken apart: only plain http and https, without a name and password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from core.errors import UsageError

_PORTS = {"http": 80, "https": 443}
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "/?:@!$&'()*+,;=-._~%[]"
_MOST_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A parsed address."""

    url: str
    is_encrypted: bool
    """https."""
    host: str
    """Name or number, ASCII, lower case."""
    port: int
    path: str
    """Path and query, ASCII."""

    @property
    def host_header(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _PORTS["https" if self.is_encrypted else "http"]
        return host if self.port == usual else f"{host}:{self.port}"


def is_url(text: str) -> bool:
    """Return whether a text begins as an http or https address does."""
    return text[:8].lower().startswith(("http://", "https://"))


def parse_url(url: str) -> WebAddress:
    """Take an address apart.

    Raises:
        UsageError: it is malformed, not http or https, or holds a user name; the code is
            ``url_refused``.
    """
    if len(url) > _MOST_CHARACTERS or _NOT_IN_URLS.search(url):
        raise _refused(url, "it holds spaces, control characters or backslashes, or is too long")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise _refused(url, f"it is malformed: {error}") from error
    if parts.scheme not in _PORTS:
        raise _refused(url, f"the scheme is {parts.scheme!r}, not http or https")
    if "@" in parts.netloc:
        raise _refused(url, "it holds a user name")
    if "%" in host:
        raise _refused(url, "its host is written with escapes, or names a network interface")
    if not host:
        raise _refused(url, "it names no host")
    path = quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        path = f"{path}?{quote(parts.query, safe=_KEPT)}"
    chosen = _PORTS[parts.scheme] if port is None else port
    return WebAddress(url, parts.scheme == "https", host, chosen, path)


def _refused(url: str, reason: str) -> UsageError:
    return UsageError(f"{url[:200]!r} is not fetched: {reason}", code="url_refused", param="url")
