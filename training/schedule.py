"""How long a run is, and the learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError
from training.ranges import check_range

ScheduleKind = Literal["cosine", "constant", "inverse_sqrt"]
CooldownShape = Literal["linear", "sqrt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """How long a run is and how its learning rate moves."""

    kind: ScheduleKind = "cosine"
    """What follows the warm-up: a half ``cosine``, a ``constant`` rate with a cooldown at the end,
    or the ``inverse_sqrt`` of the step."""
    epochs: int = 30
    """Passes over the training pairs; CLIP's 32 rounded. Small sets from scratch need this many."""
    max_steps: int = 0
    """Optimiser steps after which the run ends even inside an epoch; 0 means by epochs alone."""
    warmup_fraction: float = 0.05
    """Part of all steps in which the rate climbs linearly: a fraction fits runs of any length."""
    warmup_steps: int = 0
    """Steps in which the rate climbs, in place of the fraction; 0 means by the fraction."""
    final_fraction: float = 0.0
    """Where the cosine or the cooldown ends, as a fraction of the peak; CLIP decays to 0."""
    cooldown_fraction: float = 0.2
    """Part of all steps, at the end, in which a constant rate falls; Haegele et al. find that
    20 % does as well as a cosine."""
    cooldown_shape: CooldownShape = "linear"
    """How a constant rate falls: ``linear``, or ``sqrt``, which falls faster at first."""
    image_sizes: tuple[int, ...] = ()
    """Sides of the training pictures in pixels, each for an equal part of the run; empty is the
    model's own side throughout."""

    def __post_init__(self) -> None:
        """Refuse runs without a step, fractions outside [0, 1] and a plan that cannot fit."""
        check_range("schedule.epochs", self.epochs, low=1)
        check_range("schedule.max_steps", self.max_steps, low=0)
        check_range("schedule.warmup_fraction", self.warmup_fraction, low=0, high=0.9)
        check_range("schedule.warmup_steps", self.warmup_steps, low=0)
        check_range("schedule.final_fraction", self.final_fraction, low=0, high=1)
        check_range("schedule.cooldown_fraction", self.cooldown_fraction, low=0, high=1)
        for size in self.image_sizes:
            check_range("schedule.image_sizes", size, low=1, high=4096)
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if self.kind == "inverse_sqrt" and self.final_fraction:
            raise ConfigError(
                f"schedule.final_fraction = {self.final_fraction:g} has no meaning with "
                "schedule.kind = inverse_sqrt, which has no end; remove it"
            )
        warmup = 0.0 if self.warmup_steps else self.warmup_fraction
        if self.kind == "constant" and warmup + self.cooldown_fraction > 1:
            raise ConfigError(
                f"schedule.warmup_fraction = {warmup:g} and schedule.cooldown_fraction = "
                f"{self.cooldown_fraction:g} are more than the whole run; lower one of them"
            )


def total_steps(config: ScheduleConfig, *, steps_per_epoch: int) -> int:
    """Return the horizon of the run in optimiser steps.

    Raises:
        ConfigError: the warm-up, or the warm-up and the cooldown, take more steps than the run has.
    """
    steps = config.epochs * steps_per_epoch
    horizon = min(steps, config.max_steps) if config.max_steps else steps
    cooldown = cooldown_length(config, horizon=horizon) if config.kind == "constant" else 0
    if config.warmup_steps + cooldown > horizon:
        raise ConfigError(
            f"schedule.warmup_steps = {config.warmup_steps} and a cooldown of {cooldown} steps do "
            f"not fit into a run of {horizon} steps; lower schedule.warmup_steps or train longer"
        )
    return horizon


def warmup_length(config: ScheduleConfig, *, horizon: int) -> int:
    """Return the number of steps in which the rate climbs."""
    return config.warmup_steps or math.ceil(config.warmup_fraction * horizon)


def cooldown_length(config: ScheduleConfig, *, horizon: int) -> int:
    """Return the number of steps at the end in which a constant rate falls."""
    return math.floor(config.cooldown_fraction * horizon)


def learning_rate_at(step: int, *, peak: float, horizon: int, config: ScheduleConfig) -> float:
    """Return the learning rate of the step with this number (the first is 0).

    The warm-up of w steps uses peak * (step + 1) / w, so that no step is wasted at rate 0; its last
    step has the peak, and the ones after it the rate of the ``kind``. A pure function, so a resumed
    run needs the horizon of its checkpoint and nothing else. The cosine is equation 5 of Loshchilov
    and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    warmup = warmup_length(config, horizon=horizon)
    if step < warmup:
        return peak * (step + 1) / warmup
    if config.kind == "inverse_sqrt":
        return inverse_sqrt_rate(step, peak=peak, warmup=warmup)
    if config.kind == "constant":
        start = max(horizon - cooldown_length(config, horizon=horizon), warmup)
        fall = _cooled(_part_done(step, start, horizon), shape=config.cooldown_shape)
    else:
        fall = 0.5 * (1.0 + math.cos(math.pi * _part_done(step, warmup, horizon)))
    return peak * (config.final_fraction + (1.0 - config.final_fraction) * fall)


def inverse_sqrt_rate(step: int, *, peak: float, warmup: int) -> float:
    """Return peak * min(s / w, sqrt(w / s)) with s = step + 1 and w = max(warmup, 1).

    The paper writes it d_model^-0.5 * min(s^-0.5, s * w^-1.5), which is this with
    peak = (d_model * w)^-0.5: 7.0e-4 for its base model with d_model = 512 and w = 4000. Here the
    peak is ``optimiser.learning_rate``, so the width of the tower does not hide in the schedule.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3.
    """
    number, warmup = step + 1, max(warmup, 1)
    return peak * min(number / warmup, math.sqrt(warmup / number))


def _part_done(step: int, start: int, end: int) -> float:
    """Return how much of the steps from ``start`` to ``end`` is done, in [0, 1]."""
    if step < start:
        return 0.0
    return min((step - start) / max(end - start, 1), 1.0)


def _cooled(part: float, *, shape: CooldownShape) -> float:
    """Return the factor of a cooldown.

    Source: Haegele et al. 2024, arXiv:2405.18392, section 3, for both shapes.
    """
    return 1.0 - (math.sqrt(part) if shape == "sqrt" else part)
