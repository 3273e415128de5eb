"""The messages of one request: its body as it arrives, then the news that the client has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive

from core.errors import DeadlineError

BODY_TIMEOUT = "body_timeout"
"""Code of a body that did not arrive in time: 408."""


class Incoming:
    """Hands the body to the app and watches the connection once the body is complete.

    A server delivers both through one ``receive``, which must not be awaited twice at once.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        has_body: bool,
        body_timeout_s: float,
        on_bytes: Callable[[int], None],
    ) -> None:
        """Read from ``receive``; ``on_bytes`` may raise to refuse a body as it grows."""
        self.client_left = False
        self.complete = not has_body
        self._receive = receive
        self._has_body = has_body
        self._body_timeout_s = body_timeout_s
        self._on_bytes = on_bytes
        self._body_until = asyncio.get_running_loop().time() + body_timeout_s
        self._arrived = asyncio.Event()
        self._left = asyncio.Event()
        if self.complete:
            self._arrived.set()
        self._empty_given = False

    async def receive(self) -> Message:
        """Return the next message for the app.

        Raises:
            DeadlineError: the body did not arrive in time (408).
        """
        if not self._has_body and not self._empty_given:
            self._empty_given = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self.complete:
            await self._left.wait()
            return {"type": "http.disconnect"}
        message = await self._part()
        if message["type"] == "http.disconnect":
            self._leave()
            return message
        self._on_bytes(len(message.get("body", b"")))
        if not message.get("more_body", False):
            self.complete = True
            self._arrived.set()
        return message

    async def until_client_leaves(self) -> None:
        """Return when the client has closed the connection; it is noticed after the body."""
        await self._arrived.wait()
        while not self.client_left:
            if (await self._receive())["type"] == "http.disconnect":
                self._leave()

    async def _part(self) -> Message:
        try:
            async with asyncio.timeout_at(self._body_until):
                return await self._receive()
        except TimeoutError as error:
            raise DeadlineError(
                f"the request body did not arrive within {self._body_timeout_s:g} s; send less in "
                "one request, or raise body_timeout_s",
                code=BODY_TIMEOUT,
            ) from error

    def _leave(self) -> None:
        self.client_left = True
        self._left.set()
        self._arrived.set()
