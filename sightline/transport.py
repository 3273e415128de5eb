"""Sending calls: one connection pool, and attempts until one succeeds or none may follow."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from sightline.call import Call
from sightline.failures import REQUEST_ID, broken, refused
from sightline.retries import Failure, RetryRule

Answer = TypeVar("Answer")


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


@dataclass(frozen=True)
class Connection:
    """How the service is reached; both clients take these fields."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0
    """Seconds without any progress of a request; the service answers 504 after 30 of its own."""
    connections: int = 32
    """Most connections at a time; further requests wait for a free one."""
    proxy: str | None = None
    verify: bool = True
    """Whether the certificate of an ``https`` address is checked."""

    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    def limits(self) -> httpx.Limits:
        """Return the size of the pool."""
        return httpx.Limits(
            max_connections=self.connections, max_keepalive_connections=self.connections
        )

    def timeout(self) -> httpx.Timeout:
        """Return the timeouts: waiting for a free connection of the pool is no failure."""
        return httpx.Timeout(self.timeout_s, pool=None)

    def open(self) -> httpx.Client:
        """Return a pool of connections that threads may share."""
        return httpx.Client(
            base_url=self.url,
            headers=self.headers(),
            limits=self.limits(),
            timeout=self.timeout(),
            proxy=self.proxy,
            verify=self.verify,
            trust_env=False,
        )

    def open_async(self) -> httpx.AsyncClient:
        """Return a pool of connections for one event loop."""
        return httpx.AsyncClient(
            base_url=self.url,
            headers=self.headers(),
            limits=self.limits(),
            timeout=self.timeout(),
            proxy=self.proxy,
            verify=self.verify,
            trust_env=False,
        )


class Transport:
    """Sends calls and waits in this thread; any number of threads may use one."""

    def __init__(
        self,
        http: httpx.Client,
        retries: RetryRule,
        *,
        sleep: Callable[[float], bool] = _sleep,
    ) -> None:
        """Send through ``http``; ``sleep`` waits and says whether to go on."""
        self._http, self._retries, self._sleep = http, retries, sleep

    def send(self, call: Call[Answer], *, sleep: Callable[[float], bool] | None = None) -> Answer:
        """Return the answer of a call.

        Raises:
            SightlineError: what the service answered, or ServerError where it was not reached.
        """
        request_id = uuid.uuid4().hex
        cause: Exception | None
        for attempt in itertools.count(1):
            try:
                response = self._http.send(_request(call, self._http, request_id))
            except httpx.RequestError as error:
                failure, cause = broken(error), error
            else:
                if response.is_success:
                    return call.answer(response)
                failure, cause = refused(response), None
            wait_s = _wait_s(self._retries, failure, call, attempt)
            if wait_s is None or not (sleep or self._sleep)(wait_s):
                raise failure.error from cause
        raise AssertionError("the counting never ends")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class AsyncTransport:
    """Sends calls and waits in the event loop."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        retries: RetryRule,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Send through ``http``."""
        self._http, self._retries, self._sleep = http, retries, sleep

    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer of a call.

        Raises:
            SightlineError: what the service answered, or ServerError where it was not reached.
        """
        request_id = uuid.uuid4().hex
        cause: Exception | None
        for attempt in itertools.count(1):
            try:
                response = await self._http.send(_request(call, self._http, request_id))
            except httpx.RequestError as error:
                failure, cause = broken(error), error
            else:
                if response.is_success:
                    return call.answer(response)
                failure, cause = refused(response), None
            wait_s = _wait_s(self._retries, failure, call, attempt)
            if wait_s is None:
                raise failure.error from cause
            await self._sleep(wait_s)
        raise AssertionError("the counting never ends")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _request(
    call: Call[Answer], http: httpx.Client | httpx.AsyncClient, request_id: str
) -> httpx.Request:
    request = call.request(http)
    request.headers[REQUEST_ID] = request_id
    return request


def _wait_s(rule: RetryRule, failure: Failure, call: Call[Answer], attempt: int) -> float | None:
    draw = random.random()  # noqa: S311 - spreads clients, no secret
    return rule.wait_s(failure, repeat=call.repeat, attempt=attempt, draw=draw)
