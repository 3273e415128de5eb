"""Repeated requests with the same ``Idempotency-Key`` get the first answer again.

The memory ends with the process. That is enough to make a retry safe, because adding the same
image under the same id a second time changes nothing anyway.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import ConflictError, UsageError
from core.types import JSONObject

MAX_KEY_CHARS = 255
KEPT_KEYS = 1000


@dataclass(slots=True)
class _Record:
    digest: str
    answer: JSONObject | None = None


class IdempotencyKeys:
    """The answers of the last requests that carried a key; safe to use from any thread."""

    def __init__(self, kept: int = KEPT_KEYS) -> None:
        """Remember at most ``kept`` keys."""
        self._kept = kept
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, key: str, digest: str, act: Callable[[], JSONObject]) -> JSONObject:
        """Return the answer of ``act``, or the one that this key got before.

        A request that fails leaves no trace, so that it can be repeated.

        Args:
            key: what the client sent.
            digest: of the request, to notice another one under the same key.
            act: makes the answer.

        Raises:
            ConflictError: the key belongs to another request, or its request is still running.
            UsageError: the key is empty or too long.
        """
        answer = self._begin(key, digest)
        if answer is not None:
            return answer
        try:
            answer = act()
        except BaseException:
            with self._lock:
                self._records.pop(key, None)
            raise
        with self._lock:
            self._records[key] = _Record(digest, answer)
            while len(self._records) > self._kept:
                self._records.popitem(last=False)
        return answer

    def _begin(self, key: str, digest: str) -> JSONObject | None:
        if not 1 <= len(key) <= MAX_KEY_CHARS:
            raise UsageError(
                f"the Idempotency-Key has {len(key)} characters; 1 to {MAX_KEY_CHARS} fit",
                param="Idempotency-Key",
            )
        with self._lock:
            record = self._records.get(key)
            if record is None:
                self._records[key] = _Record(digest)
                return None
        if record.digest != digest:
            raise ConflictError(
                "this Idempotency-Key belongs to a request with another body; use a new key",
                code="idempotency_key_reused",
                param="Idempotency-Key",
            )
        if record.answer is None:
            raise ConflictError(
                "the first request with this Idempotency-Key is still running; wait for it",
                code="idempotency_key_in_use",
                param="Idempotency-Key",
            )
        return record.answer
