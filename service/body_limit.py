"""Pure ASGI middleware that refuses a body of too many bytes."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import UsageError
from service.errors import error_object, error_response
from service.request_cost import announced_length


class BodyLimit:
    """Refuses a body of more than ``max_bytes``, whether or not its length was announced."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        """Wrap ``app``."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (announced_length(scope) or 0) > self._max_bytes:
            response = error_response(413, error_object(self._error()))
            # The body stays unread, so the connection cannot be used again.
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        read = 0

        async def counting_receive() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise self._error()
            return message

        await self._app(scope, counting_receive, send)

    def _error(self) -> UsageError:
        return UsageError(
            f"the request body has more than the {self._max_bytes} bytes allowed; send fewer or "
            "smaller images, or raise max_body_bytes",
            code="body_too_large",
        )
