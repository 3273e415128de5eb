"""How the towers of a model are run: precision, size of a run, streams and threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError

Precision = Literal["float32", "bfloat16", "int8"]
"""Arithmetic of the image tower. With ``int8`` the text tower runs in bfloat16 or float32."""
PrecisionChoice = Literal["auto", "float32", "bfloat16", "int8"]
"""``auto`` takes what ``sightline models tune`` measured on this machine, else float32."""

IMAGES_PER_RUN = 32
TEXTS_PER_RUN = 64
"""Larger batches gain nothing on a CPU and hold more memory (docs/models.md)."""


@dataclass(frozen=True, slots=True)
class TowerPlan:
    """How one tower is compiled and fed."""

    precision: Precision = "float32"
    """Arithmetic."""
    chunk: int = IMAGES_PER_RUN
    """Most items of one run."""
    fixed: bool = False
    """Whether the tower is compiled for exactly ``chunk`` items, and smaller runs are filled up.
    Convolutions then fuse with the sums behind them: up to a third of the time."""
    streams: int = 1
    """Runs at the same time."""
    threads: int = 0
    """Threads of all streams together; 0 takes all cores."""
    pinned: bool = True
    """Whether threads keep to their cores. False is quicker where other programs use them too."""
    run_ms: float = 0.0
    """Measured time of one run when all streams are busy; 0 where it was not measured."""

    def __post_init__(self) -> None:
        """Refuse numbers that no tower can be run by.

        Raises:
            ConfigError: a size, number of streams, of threads or a time out of range.
        """
        for name, value, least in (
            ("chunk", self.chunk, 1),
            ("streams", self.streams, 1),
            ("threads", self.threads, 0),
            ("run_ms", self.run_ms, 0.0),
        ):
            if not (math.isfinite(value) and value >= least):
                raise ConfigError(f"{name} = {value}: expected {least} or more")

    @property
    def per_second(self) -> float:
        """Items a second when all streams are busy; 0 where it was not measured."""
        return 1000.0 * self.chunk * self.streams / self.run_ms if self.run_ms else 0.0


@dataclass(frozen=True, slots=True)
class RuntimePlan:
    """How both towers are run: one way for a single item, one for many; the two may be equal."""

    image: TowerPlan
    images: TowerPlan
    text: TowerPlan
    texts: TowerPlan


def untuned_plan(
    precision: Precision = "float32", *, text: Precision = "float32", threads: int = 0
) -> RuntimePlan:
    """Return the plan where nothing was measured: one stream over all threads, any batch."""
    image = TowerPlan(precision, chunk=IMAGES_PER_RUN, threads=threads)
    texts = TowerPlan(text, chunk=TEXTS_PER_RUN, threads=threads)
    return RuntimePlan(image, image, texts, texts)


def items_in_bulk(count: int, *, single: TowerPlan, bulk: TowerPlan) -> int:
    """Return how many of ``count`` items to run in bulk, so that all are done soonest.

    The others are run one by one. Runs in bulk go ``bulk.streams`` at a time, each as long as a
    full one where the tower is ``fixed``.
    """
    if single == bulk or not (single.run_ms and bulk.run_ms):
        return count if count > 1 or single == bulk else 0
    runs = math.ceil(count / bulk.chunk)

    def took_ms(bulk_runs: int) -> float:
        alone = max(0, count - bulk_runs * bulk.chunk)
        return math.ceil(bulk_runs / bulk.streams) * bulk.run_ms + alone * single.run_ms

    best = min(range(runs, max(-1, runs - bulk.streams - 1), -1), key=took_ms)
    return min(count, best * bulk.chunk)


def sizes_of_runs(count: int, plan: TowerPlan) -> list[int]:
    """Return how many items each run takes: full ones where fixed, else all alike, one a stream."""
    if not count:
        return []
    runs = math.ceil(count / plan.chunk)
    if plan.fixed:
        return [plan.chunk] * (runs - 1) + [count - plan.chunk * (runs - 1)]
    runs = min(count, math.ceil(runs / plan.streams) * plan.streams)
    return [count // runs + (number < count % runs) for number in range(runs)]
