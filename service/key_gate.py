"""The gate that every request passes before its body is read: who sends it, may they, how often.

It is closed as soon as the gallery has keys. While it is open, it still refuses what a foreign web
page makes the browser of a visitor send.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from core.errors import AccessError, AuthenticationError, BusyError, SightlineError
from service.errors import error_object, error_response, status_of
from service.key_ring import KeyRing
from service.keys import ApiKey, Scope
from service.metrics import Metrics
from service.origins import Origins
from service.rates import RateLimiter
from service.request_scope import CURRENT_SCOPE
from service.scopes import RouteScopes
from service.senders import Sender, sender_of
from service.sessions import Sessions
from service.settings import Settings

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Access:
    """What decides about requests; one for each app, shared with the route of sessions."""

    keys: KeyRing
    """The keys of the gallery."""
    sessions: Sessions
    """The cookies of the page."""


class KeyGate:
    """Lets a request on with the right key, from the right page, at the right rate."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        access: Access,
        metrics: Metrics,
        now: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        """Guard ``app``; ``now`` is Unix time, ``monotonic`` measures rates."""
        self._app = app
        self._access = access
        self._metrics = metrics
        self._scopes = RouteScopes(settings)
        self._origins = Origins(settings)
        self._limiter = RateLimiter(burst=settings.rate_burst)
        self._rate = settings.rate_limit
        self._now = now
        self._monotonic = monotonic

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            wait_s = self._pass(scope)
        except SightlineError as error:
            await self._refuse(error, scope, receive, send)
            return
        if wait_s > 0:
            too_many = BusyError(
                "more requests than your rate allows; wait as long as Retry-After says",
                code="rate_limited",
            )
            await self._refuse(too_many, scope, receive, send, retry_after_s=math.ceil(wait_s))
            return
        await self._app(scope, receive, send)

    def _pass(self, scope: ASGIScope) -> float:
        """Return the seconds that the sender has to wait.

        Raises:
            SightlineError: this sender may not ask this.
        """
        needed = self._scopes.needed(scope["method"], scope["path"])
        if needed is None:
            return 0.0
        sender = sender_of(scope)
        if not self._access.keys.is_closed():
            self._origins.check(sender, is_open=True)
            return self._wait_s(sender.address, self._rate)
        key = self._key_of(sender, needed)
        if not key.scope.allows(needed):
            raise AccessError(
                f"the API key {key.name!r} has the scope {key.scope}, this needs {needed}; ask "
                "the operator for another key",
                code="scope",
            )
        request = CURRENT_SCOPE.get()
        if request is not None:
            request.key_name = key.name
        return self._wait_s(key.digest, self._rate if key.rate is None else key.rate)

    def _key_of(self, sender: Sender, needed: Scope) -> ApiKey:
        now = self._now()
        if sender.secret is not None:
            return self._access.keys.find(sender.secret, now=now)
        # A browser adds cookies by itself: they let nobody change anything, and only our own page
        # may use them.
        if sender.cookie is not None and needed is Scope.READ and not sender.is_cross_site():
            self._origins.check(sender, is_open=False)
            digest = self._access.sessions.digest_of(sender.cookie, now=now)
            return self._access.keys.with_digest(digest, now=now)
        raise AuthenticationError(
            "this service needs an API key; send it as 'Authorization: Bearer KEY' or "
            "'X-API-Key: KEY'",
            code="missing_key",
        )

    def _wait_s(self, client: str, rate: float) -> float:
        if rate <= 0:
            return 0.0
        return self._limiter.wait_s(client, rate=rate, now=self._monotonic())

    async def _refuse(
        self,
        error: SightlineError,
        scope: ASGIScope,
        receive: Receive,
        send: Send,
        *,
        retry_after_s: int = 1,
    ) -> None:
        self._metrics.rejected(error.code)
        response = error_response(
            status_of(error), error_object(error), retry_after_s=retry_after_s
        )
        await response(scope, receive, send)
