"""Images that requests name by URL, loaded behind every guard of ``core.fetching``.

A request waits for its images in the thread that works on it. So that web servers that drip cannot
hold up all of those threads, only half of them may wait at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from ipaddress import ip_network
from typing import TypeAlias

from core.errors import BusyError, SightlineError
from core.fetching import Fetcher, FetchRules, Resolve
from core.timing import timed
from service.request_scope import CURRENT_SCOPE
from service.settings import Settings
from service.uploads import fetching_is_off

Fetched: TypeAlias = Mapping[str, bytes | SightlineError]
"""What the URLs of a request gave, by where they stood in it."""


class RemoteImages:
    """Loads what URLs name, a few at a time; may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve | None = None,
        on_fetched: Callable[[str], None] | None = None,
    ) -> None:
        """Load by the settings.

        ``resolve`` stands in for the resolver of the system; ``on_fetched`` gets ``ok`` or the
        code of the error of each image.
        """
        self._on_fetched = on_fetched or _ignore
        self._fetcher = Fetcher(fetch_rules(settings), resolve=resolve)
        self._is_on = settings.fetch_urls
        self._pool = ThreadPoolExecutor(settings.fetch_threads, thread_name_prefix="fetch")
        self._most = max(1, settings.request_threads // 2)
        self._places = threading.BoundedSemaphore(self._most)

    def fetch(self, urls: Mapping[str, str]) -> dict[str, bytes | SightlineError]:
        """Return the content of each URL or its error; one failure harms no other.

        Args:
            urls: by where they stood in the request, for messages.

        Raises:
            BusyError: too many requests wait for their images.
            DeadlineError: the time of the request ended.
            UsageError: this service loads no URLs.
        """
        if not urls:
            return {}
        if not self._is_on:
            raise fetching_is_off(next(iter(urls)))
        if not self._places.acquire(blocking=False):
            raise BusyError(
                f"{self._most} requests wait for images that they name by URL, the most that may; "
                "try again in a moment"
            )
        try:
            waiting = {
                param: self._pool.submit(copy_context().run, self._one, url, param)
                for param, url in urls.items()
            }
            return {param: future.result() for param, future in waiting.items()}
        finally:
            self._places.release()

    def close(self) -> None:
        """Wait for what is being loaded and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, url: str, param: str) -> bytes | SightlineError:
        request = CURRENT_SCOPE.get()
        if request is not None:
            request.check()
        try:
            with timed("fetch"):
                data = self._fetcher.fetch(url)
        except SightlineError as error:
            self._on_fetched(error.code)
            error.param = param
            return error
        self._on_fetched("ok")
        return data


def _ignore(outcome: str) -> None:
    """Count nothing."""


def fetch_rules(settings: Settings) -> FetchRules:
    """Return what may be loaded, and what it may cost."""
    return FetchRules(
        max_bytes=settings.max_image_bytes,
        timeout_seconds=settings.fetch_timeout_s,
        hosts=settings.fetch_hosts,
        allowed=tuple(ip_network(text) for text in settings.fetch_networks),
    )
