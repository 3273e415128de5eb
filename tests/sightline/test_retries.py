"""Rules of sending again: pure decisions, no clock and no connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import BusyError, ConfigError
from sightline.retries import Failure, Outcome, Repeat, RetryRule, read_retry_after

RULE = RetryRule(attempts=4, first_wait_s=1.0, longest_wait_s=3.0)


def failure(outcome: Outcome, retry_after_s: float | None = None) -> Failure:
    """Return a failed attempt."""
    return Failure(BusyError("busy"), outcome, retry_after_s)


def test_waits_double_up_to_the_longest() -> None:
    """Without jitter (draw 1) the waits are 1, 2 and then 3, the longest; the 4th was the last."""
    waits = [
        RULE.wait_s(failure(Outcome.UNKNOWN), repeat=Repeat.ALWAYS, attempt=attempt, draw=1.0)
        for attempt in (1, 2, 3, 4)
    ]

    assert waits == [1.0, 2.0, 3.0, None]


def test_jitter_takes_at_most_half() -> None:
    """With draw 0 a wait is half of its full length."""
    found = RULE.wait_s(failure(Outcome.UNKNOWN), repeat=Repeat.ALWAYS, attempt=2, draw=0.0)

    assert found == 1.0


def test_what_the_server_asks_for_is_the_least() -> None:
    """Retry-After is waited for in full, and jitter comes on top to spread the clients."""
    asked = failure(Outcome.UNPROCESSED, retry_after_s=2.0)

    assert RULE.wait_s(asked, repeat=Repeat.ALWAYS, attempt=1, draw=0.0) == 2.0
    assert RULE.wait_s(asked, repeat=Repeat.ALWAYS, attempt=1, draw=0.5) == 2.5


def test_a_server_that_asks_for_too_much_is_not_asked_again() -> None:
    """More than the longest wait: the error is raised now instead of hours later."""
    asked = failure(Outcome.UNPROCESSED, retry_after_s=3.1)

    assert RULE.wait_s(asked, repeat=Repeat.ALWAYS, attempt=1, draw=0.0) is None


@pytest.mark.parametrize(
    ("repeat", "outcome", "again"),
    [
        (Repeat.ALWAYS, Outcome.UNPROCESSED, True),
        (Repeat.ALWAYS, Outcome.UNKNOWN, True),
        (Repeat.ALWAYS, Outcome.FINAL, False),
        (Repeat.UNPROCESSED, Outcome.UNPROCESSED, True),
        (Repeat.UNPROCESSED, Outcome.UNKNOWN, False),
        (Repeat.UNPROCESSED, Outcome.FINAL, False),
        (Repeat.NEVER, Outcome.UNPROCESSED, False),
        (Repeat.NEVER, Outcome.UNKNOWN, False),
    ],
)
def test_only_what_is_safe_is_sent_again(repeat: Repeat, outcome: Outcome, *, again: bool) -> None:
    """A request that may have been done is repeated only where doing it twice is doing it once."""
    found = RULE.wait_s(failure(outcome), repeat=repeat, attempt=1, draw=0.0)

    assert (found is not None) == again


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 10.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    """Both forms of RFC 9110; a moment that is past is now, and nonsense says nothing."""
    now = datetime(1994, 11, 6, 8, 49, 27, tzinfo=UTC)

    assert read_retry_after(text, now=now) == seconds


@pytest.mark.parametrize("values", [{"attempts": 0}, {"first_wait_s": -1.0}])
def test_a_rule_that_cannot_work_is_refused(values: dict[str, float]) -> None:
    """No attempt, or a negative wait."""
    with pytest.raises(ConfigError, match="at least"):
        RetryRule(**values)  # type: ignore[arg-type]
