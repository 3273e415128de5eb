"""The learning rate of every step: linear warm-up, then a half cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.ranges import check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """How long a run is and how its learning rate moves."""

    epochs: int = 30
    """Passes over the training pairs; CLIP's 32 rounded. Small sets from scratch need this many."""
    max_steps: int = 0
    """Optimiser steps after which the run ends even inside an epoch; 0 means by epochs alone."""
    warmup_fraction: float = 0.05
    """Part of all steps in which the rate climbs linearly: a fraction fits runs of any length."""
    final_fraction: float = 0.0
    """Learning rate of the last step as a fraction of the peak; CLIP decays to 0."""

    def __post_init__(self) -> None:
        """Refuse runs without a step and fractions outside [0, 1]."""
        check_range("schedule.epochs", self.epochs, low=1)
        check_range("schedule.max_steps", self.max_steps, low=0)
        check_range("schedule.warmup_fraction", self.warmup_fraction, low=0, high=0.9)
        check_range("schedule.final_fraction", self.final_fraction, low=0, high=1)


def total_steps(config: ScheduleConfig, *, steps_per_epoch: int) -> int:
    """Return the horizon of the run in optimiser steps."""
    steps = config.epochs * steps_per_epoch
    return min(steps, config.max_steps) if config.max_steps else steps


def learning_rate_at(step: int, *, peak: float, horizon: int, config: ScheduleConfig) -> float:
    """Return the learning rate of the step with this number (the first is 0).

    The warm-up of w steps uses peak * (step + 1) / w, so that no step is wasted at rate 0; the
    cosine goes from the peak at step w to ``final_fraction`` of it at the horizon.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """
    warmup = math.ceil(config.warmup_fraction * horizon)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min((step - warmup) / max(horizon - warmup, 1), 1.0)
    cosine = 0.5 * (1.0 + math.cos(math.pi * progress))
    return peak * (config.final_fraction + (1.0 - config.final_fraction) * cosine)
