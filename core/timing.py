"""How long the stages of a piece of work took, told to whoever asked for it; free where nobody did.

The recorder belongs to the running task or thread, so that deep code needs no parameter for it and
its times land at the request that it works for.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol


class StageRecorder(Protocol):
    """Told of every stage that ended; may be called from several threads."""

    def stage_done(self, stage: str, begun_s: float, took_s: float) -> None:
        """Note a stage that began at ``begun_s`` of ``time.monotonic()``."""
        ...


RECORDER: ContextVar[StageRecorder | None] = ContextVar("sightline_recorder", default=None)
"""Who wants to know in the running task or thread; ``None``: nobody."""


class timed:  # noqa: N801 - it is used like a function: with timed("scan")
    """Report how long the block took, also when it fails."""

    __slots__ = ("_begun_s", "_recorder", "_stage")

    def __init__(self, stage: str) -> None:
        """Name the stage; the names of the service are in ``service.metrics.STAGES``."""
        self._stage = stage
        self._begun_s = 0.0

    def __enter__(self) -> None:
        """Begin, with the recorder of this moment."""
        self._recorder = RECORDER.get()
        if self._recorder is not None:
            self._begun_s = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        if self._recorder is not None:
            took_s = time.monotonic() - self._begun_s
            self._recorder.stage_done(self._stage, self._begun_s, took_s)
