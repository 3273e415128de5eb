"""What belongs to one request and follows it into its worker threads: id, deadline, cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from core.errors import DeadlineError
from service.request_cost import cost_of


class Priority(IntEnum):
    """Whose work the model does first; a lower number goes before a higher one."""

    SEARCH = 0
    """Somebody waits for hits."""
    CLASSIFY = 1
    """Somebody waits for labels."""
    BULK = 2
    """Adding items and large embedding requests: much work, nobody watches."""


class StageTrace(Protocol):
    """The trace of a request, where it is traced."""

    def add_stage(self, stage: str, begun_s: float, took_s: float) -> None:
        """Add a stage that began at ``begun_s`` of ``time.monotonic()``."""
        ...


@dataclass(slots=True, eq=False)
class RequestScope:
    """The identity and the time of one request; any thread may use it."""

    request_id: str
    """Sent back as ``X-Request-ID``."""
    expires_at: float
    """``time.monotonic()`` after which nobody waits for the answer."""
    timeout_s: float
    """The time the request was given, for messages."""
    started_at: float = field(default_factory=time.monotonic)
    """``time.monotonic()`` of its arrival."""
    abandoned: bool = False
    """The client went away or was answered 504: work that has not begun is dropped."""
    key_name: str | None = None
    """Name of the API key that it came with, for the log."""
    priority: Priority = Priority.SEARCH
    """Its place in line at the model; routes that ask for more lower it with :func:`work_as`."""
    charge: Callable[[float], None] | None = None
    """Told the real cost of the request once it is known, in cost units."""
    observe: Callable[[str, float], None] | None = None
    """Told the seconds of each stage, for the metrics."""
    trace: StageTrace | None = None
    """Where its stages become spans; ``None`` where nothing is traced."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage, for its line of the log; images at the same time add up."""
    _counted: float = 0.0
    _callbacks: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stage_done(self, stage: str, begun_s: float, took_s: float) -> None:
        """Note a stage of its work (``core.timing.StageRecorder``)."""
        self.note(stage, begun_s, took_s)
        if self.observe is not None:
            self.observe(stage, took_s)

    def note(self, stage: str, begun_s: float, took_s: float) -> None:
        """Note a stage for the log and the trace alone: the metrics count it elsewhere."""
        with self._lock:
            self.stages[stage] = self.stages.get(stage, 0.0) + took_s
        if self.trace is not None:
            self.trace.add_stage(stage, begun_s, took_s)

    def remaining_s(self) -> float:
        """Return the seconds left, not below zero."""
        return max(0.0, self.expires_at - time.monotonic())

    def is_over(self) -> bool:
        """Return whether nobody waits for the answer any more."""
        return self.abandoned or time.monotonic() >= self.expires_at

    def stages_ms(self) -> dict[str, float]:
        """Return the milliseconds of each stage so far, as ``decode_ms``."""
        with self._lock:
            return {f"{stage}_ms": round(took * 1000, 3) for stage, took in self.stages.items()}

    def elapsed_ms(self) -> float:
        """Return the milliseconds since the request arrived."""
        return round((time.monotonic() - self.started_at) * 1000, 3)

    def check(self) -> None:
        """Stop here when the time is over.

        Raises:
            DeadlineError: the deadline passed or the client went away.
        """
        if self.is_over():
            raise DeadlineError(deadline_message(self.timeout_s))

    def abandon(self) -> None:
        """Nobody waits any more: call back, once, all that asked to know."""
        with self._lock:
            if self.abandoned:
                return
            self.abandoned = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def when_abandoned(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` when the request is abandoned, at once if it is already.

        It is called in the thread that abandons, mostly the event loop's, and must be quick.
        Returns the function that takes the callback back.
        """
        with self._lock:
            if not self.abandoned:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return _nothing

    def count(self, *, images: int = 0, texts: int = 0) -> None:
        """Say what the request really asks of the model; replaces the estimate of its cost."""
        with self._lock:
            self._counted += cost_of(images=images, texts=texts)
            counted = self._counted
        if self.charge is not None:
            self.charge(counted)

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)


CURRENT_SCOPE: ContextVar[RequestScope | None] = ContextVar("sightline_request", default=None)
"""The request that the running task or thread works for; ``None`` outside of requests."""


def count_work(*, images: int = 0, texts: int = 0) -> None:
    """Say what the current request asks of the model, once the numbers are known."""
    scope = CURRENT_SCOPE.get()
    if scope is not None:
        scope.count(images=images, texts=texts)


def work_as(priority: Priority) -> None:
    """Give the current request its place in line at the model; does nothing outside of requests."""
    scope = CURRENT_SCOPE.get()
    if scope is not None:
        scope.priority = priority


def deadline_message(timeout_s: float) -> str:
    """Return the message of a request that ran out of time."""
    return (
        f"the request took longer than its limit of {timeout_s:g} s; send less in one request, "
        "try again later, or raise request_timeout_s"
    )


def _nothing() -> None:
    """Take back a callback that was called already."""
