"""When a request that failed is sent again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from core.errors import ConfigError, SightlineError


class Repeat(StrEnum):
    """Which failures a request survives by being sent again."""

    ALWAYS = "always"
    """Sent twice it does what it does once: reads, and writes that carry their own identity."""
    UNPROCESSED = "unprocessed"
    """Sent again only where the server cannot have begun it: not connected, or refused with 429."""
    NEVER = "never"
    """A question about this very moment, such as readiness."""


class Outcome(StrEnum):
    """What a failure says of the request."""

    UNPROCESSED = "unprocessed"
    """The server has not begun it."""
    UNKNOWN = "unknown"
    """It may have been done: the connection broke, or a gateway answered."""
    FINAL = "final"
    """It would fail again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one attempt failed."""

    error: SightlineError
    outcome: Outcome
    retry_after_s: float | None = None
    """Seconds that the server asks to wait."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often and how patiently a request is sent again."""

    attempts: int = 6
    """Requests in all; with the waits below six bridge the restart of a server, about 10 s."""
    first_wait_s: float = 0.5
    """Seconds before the second attempt; each further wait is twice as long."""
    longest_wait_s: float = 30.0
    """Most seconds of one wait; a server that asks for more is taken at its word: no retry."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            ConfigError: no attempt at all, or a negative wait.
        """
        if self.attempts < 1 or self.first_wait_s < 0 or self.longest_wait_s < 0:
            raise ConfigError(
                f"{self}: expected at least 1 attempt and waits of at least 0 seconds"
            )

    def wait_s(
        self, failure: Failure, *, repeat: Repeat, attempt: int, draw: float
    ) -> float | None:
        """Return the seconds to wait before the next attempt, ``None`` to give up.

        Args:
            failure: of the last attempt.
            repeat: what the request allows.
            attempt: number of the last attempt, from 1.
            draw: random, from 0 to 1; spreads clients that failed together ("equal jitter",
                Brooker, Exponential Backoff And Jitter, 2015).
        """
        if attempt >= self.attempts or not _may_repeat(failure.outcome, repeat):
            return None
        backoff_s = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        if failure.retry_after_s is None:
            return backoff_s * (0.5 + draw / 2)
        if failure.retry_after_s > self.longest_wait_s:
            return None
        return failure.retry_after_s + self.first_wait_s * draw


def read_retry_after(text: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for; ``None`` where it says nothing.

    Both forms of RFC 9110, section 10.2.3: seconds, and a date.
    """
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _may_repeat(outcome: Outcome, repeat: Repeat) -> bool:
    if repeat is Repeat.NEVER or outcome is Outcome.FINAL:
        return False
    return repeat is Repeat.ALWAYS or outcome is Outcome.UNPROCESSED
