"""Repeated requests with the same ``Idempotency-Key`` get the first answer again.

The answer is kept with the items, in one transaction (``index.receipts``): it outlives a crash. In
memory are only the keys of requests that are running.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.errors import ConflictError, UsageError
from core.types import JSONObject
from index.receipts import Receipt
from service.uploads import parse_json

MAX_KEY_CHARS = 255

FindReceipt = Callable[[str], Receipt | None]


@dataclass(frozen=True, slots=True)
class RepeatableRequest:
    """A request that carries a key."""

    key: str
    """What the client sent."""
    digest: str
    """Of the request, to notice another one under the same key."""


class IdempotencyKeys:
    """The keys of the running requests; safe to use from any thread."""

    def __init__(self, find: FindReceipt) -> None:
        """``find`` returns the kept answer of a key."""
        self._find = find
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()

    def once(self, request: RepeatableRequest, act: Callable[[], JSONObject]) -> JSONObject:
        """Return the answer of ``act``, or the one that this key got before.

        ``act`` keeps its answer as a receipt. One that fails keeps none, so that the request can be
        repeated.

        Raises:
            ConflictError: the key belongs to another request, or its request is still running.
            UsageError: the key is empty, too long, or holds other than printable ASCII.
        """
        check_key(request.key)
        with self._alone(request):
            kept = self._find(request.key)
            if kept is None:
                return act()
            _check_same(kept.digest, request.digest)
            answer = parse_json(kept.answer)
            assert isinstance(answer, dict)
            return answer

    @contextmanager
    def _alone(self, request: RepeatableRequest) -> Iterator[None]:
        with self._lock:
            other = self._running.get(request.key)
            if other is None:
                self._running[request.key] = request.digest
        if other is not None:
            _check_same(other, request.digest)
            raise ConflictError(
                "the first request with this Idempotency-Key is still running; wait for it",
                code="idempotency_key_in_use",
                param="Idempotency-Key",
            )
        try:
            yield
        finally:
            with self._lock:
                del self._running[request.key]


def check_key(key: str) -> str:
    """Return ``key`` if it can name a request.

    Raises:
        UsageError: empty, longer than 255 characters, or other than printable ASCII.
    """
    if not 1 <= len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise UsageError(
            f"the Idempotency-Key has {len(key)} characters; 1 to {MAX_KEY_CHARS} of printable "
            "ASCII fit",
            param="Idempotency-Key",
        )
    return key


def _check_same(known: str, digest: str) -> None:
    if known != digest:
        raise ConflictError(
            "this Idempotency-Key belongs to a request with another body; use a new key",
            code="idempotency_key_reused",
            param="Idempotency-Key",
        )
