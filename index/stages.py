"""What bounds the speed of bulk work: reading and decoding, the model, or the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["decoding", "model", "disk"]


class StageClock:
    """Adds up what the thread of the model does: it waits for pictures, embeds, or waits to store.

    Pictures are decoded ahead and stored behind in threads of their own, so that only the waiting
    for them counts: the stage with the most seconds is the one that bounds the speed.
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

    @property
    def bound(self) -> str:
        """The stage that bounds the speed, and how busy the model is, for people to read."""
        stage = self.slowest
        if stage is None:
            return ""
        busy = self.seconds["model"] / sum(self.seconds.values())
        return (
            f"{stage} ({busy:.0%} busy)" if stage == "model" else f"{stage} (model {busy:.0%} busy)"
        )
