"""Repeated requests with the same key."""

from __future__ import annotations

import pytest

from core.errors import ConflictError, StorageError, UsageError
from core.types import JSONObject
from service.idempotency import IdempotencyKeys


class Counting:
    """Counts how often it acts."""

    def __init__(self) -> None:
        """Start at zero."""
        self.count = 0

    def __call__(self) -> JSONObject:
        """Act once more."""
        self.count += 1
        return {"count": self.count}


def test_the_second_request_gets_the_first_answer() -> None:
    """It acts once for one key, and again for another."""
    keys, act = IdempotencyKeys(), Counting()

    assert keys.once("a", "body", act) == {"count": 1}
    assert keys.once("a", "body", act) == {"count": 1}
    assert keys.once("b", "body", act) == {"count": 2}


def test_another_body_under_the_same_key_is_a_conflict() -> None:
    """A key stands for one request."""
    keys, act = IdempotencyKeys(), Counting()
    keys.once("a", "body", act)

    with pytest.raises(ConflictError, match="another body"):
        keys.once("a", "other", act)


def test_a_request_that_is_still_running_is_a_conflict() -> None:
    """Two at once must not both act."""
    keys = IdempotencyKeys()

    def act() -> JSONObject:
        with pytest.raises(ConflictError, match="still running"):
            keys.once("a", "body", Counting())
        return {}

    keys.once("a", "body", act)


def test_a_failed_request_can_be_repeated() -> None:
    """A failure is not remembered."""
    keys = IdempotencyKeys()

    def fail() -> JSONObject:
        raise StorageError("no")

    with pytest.raises(StorageError):
        keys.once("a", "body", fail)
    assert keys.once("a", "body", Counting()) == {"count": 1}


def test_old_keys_are_forgotten() -> None:
    """The memory is bounded."""
    keys, act = IdempotencyKeys(kept=2), Counting()
    for key in "abc":
        keys.once(key, "body", act)

    assert keys.once("c", "body", act) == {"count": 3}
    assert keys.once("a", "body", act) == {"count": 4}


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_one_to_255_characters(key: str) -> None:
    """Longer ones would be a way to fill the memory."""
    with pytest.raises(UsageError, match="1 to 255"):
        IdempotencyKeys().once(key, "body", Counting())
