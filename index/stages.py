"""Where the time of adding goes: waiting for decoded pictures, the model, or the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["decoding", "model", "disk"]


class StageClock:
    """Adds up the seconds that one thread spends in each stage of adding.

    Decoding runs ahead in threads of its own, so only the waiting for it counts: the stage with
    the most seconds is the one that bounds the speed.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds: dict[Stage, float] = {"decoding": 0.0, "model": 0.0, "disk": 0.0}

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Count the time inside as spent in a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    @property
    def slowest(self) -> Stage | None:
        """The stage that bounds the speed; ``None`` before anything was done."""
        stage = max(self.seconds, key=lambda name: self.seconds[name])
        return stage if self.seconds[stage] > 0 else None
