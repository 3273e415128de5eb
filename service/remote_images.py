"""Images that requests name by URL, loaded behind every guard of ``core.fetching``.

They are loaded before a request takes one of the threads that work on requests, so that a web
server that drips holds up nothing but the request that named it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import TypeAlias

from core.errors import BusyError, SightlineError, UsageError
from core.fetching import Fetcher, FetchRules, Resolve
from service.settings import Settings
from service.workers import Workers

Fetched: TypeAlias = Mapping[str, bytes | SightlineError]
"""The content of each URL of a request, or why there is none."""

_WAITING_PER_THREAD = 32


class RemoteImages:
    """Loads what URLs name, a few at a time."""

    def __init__(self, settings: Settings, *, resolve: Resolve | None = None) -> None:
        """Load by the settings; ``resolve`` stands in for the resolver of the system."""
        self._fetcher = Fetcher(fetch_rules(settings), resolve=resolve)
        self._is_on = settings.fetch_urls
        self._workers = Workers(settings.fetch_threads)
        self._most = settings.fetch_threads * _WAITING_PER_THREAD
        self._asked = 0

    async def fetch(self, urls: Sequence[str], *, param: str = "image_url") -> Fetched:
        """Return the content of each URL or its error; one failure harms no other.

        Raises:
            BusyError: too many images are waited for.
            DeadlineError: the time of the request ended.
            UsageError: this service loads no URLs.
        """
        wanted = list(dict.fromkeys(urls))
        if not wanted:
            return {}
        if not self._is_on:
            raise fetching_is_off(param)
        if self._asked + len(wanted) > self._most:
            raise BusyError(
                f"{self._asked} images by URL are waited for, with {len(wanted)} more than the "
                f"{self._most} that may be; try again in a moment"
            )
        self._asked += len(wanted)
        try:
            found = await asyncio.gather(*(self._workers.run(self._one, url) for url in wanted))
        finally:
            self._asked -= len(wanted)
        return dict(zip(wanted, found, strict=True))

    def close(self) -> None:
        """Wait for what is being loaded and end the threads."""
        self._workers.close()

    def _one(self, url: str) -> bytes | SightlineError:
        try:
            return self._fetcher.fetch(url)
        except SightlineError as error:
            error.param = "image_url"
            return error


def fetch_rules(settings: Settings) -> FetchRules:
    """Return what may be loaded, and what it may cost."""
    return FetchRules(
        max_bytes=settings.max_image_bytes,
        timeout_seconds=settings.fetch_timeout_s,
        hosts=settings.fetch_hosts,
        allowed=tuple(ip_network(text) for text in settings.fetch_networks),
    )


def fetching_is_off(param: str) -> UsageError:
    """Return the error of a request that names an image by URL where none are loaded."""
    return UsageError(
        "fetching is switched off: this service loads no URLs; send the image itself, as a file "
        "part named 'image' or as base64",
        param=param,
        code="fetch_disabled",
    )
