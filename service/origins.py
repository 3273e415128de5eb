"""Which pages may make a browser send requests here.

A browser sends what any page asks it to, to this machine too. Source of the rules: the check of
``Sec-Fetch-Site``, then of ``Origin`` against ``Host``, of Go's ``net/http.CrossOriginProtection``.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from core.errors import AccessError
from service.senders import Sender
from service.settings import Settings

_THIS_MACHINE = "localhost"
_KEPT_HOSTS = 256


class Origins:
    """The pages and the host names of one service."""

    def __init__(self, settings: Settings) -> None:
        """Trust the pages of ``cors_origins`` and the names of ``allowed_hosts``."""
        self._trusted = frozenset(settings.cors_origins)
        self._hosts = frozenset(name.lower() for name in settings.allowed_hosts)
        self._is_local = is_loopback(settings.host)

    def check(self, sender: Sender, *, is_open: bool) -> None:
        """Refuse what a foreign page sends.

        ``is_open``: no key is needed, so whoever reaches the service gets an answer.

        Raises:
            AccessError: the request comes from a page that is not listed, or names a host that is
                not this one.
        """
        if is_open and self._is_foreign_host(sender.host):
            raise AccessError(
                f"the request names the host {sender.host!r:.200}; without API keys this service "
                "answers to this machine's own names and those of the setting allowed_hosts",
                code="host",
            )
        if not sender.is_safe and self._is_foreign_page(sender):
            raise AccessError(
                f"the request comes from a page of {sender.origin or sender.site!r:.200}; the "
                "setting cors_origins lists the pages that may call this service",
                code="cross_site",
            )

    def _is_foreign_page(self, sender: Sender) -> bool:
        if "*" in self._trusted or sender.origin in self._trusted:
            return False
        if sender.site is not None:
            return sender.is_cross_site()
        # Browsers send Sec-Fetch-Site over https and to localhost only.
        return sender.origin is not None and urlsplit(sender.origin).netloc != sender.host

    def _is_foreign_host(self, host: str | None) -> bool:
        """Return whether a name was bent to this machine's address (DNS rebinding)."""
        if host is None or not (self._is_local or self._hosts):
            return False
        name = _without_port(host).lower()
        return name not in self._hosts and not is_loopback(name)


@lru_cache(maxsize=_KEPT_HOSTS)
def is_loopback(host: str) -> bool:
    """Return whether a host name or address always means this very machine."""
    name = host.strip("[]").lower()
    if name == _THIS_MACHINE or name.endswith(f".{_THIS_MACHINE}"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lstrip("[")
    return host.partition(":")[0]
