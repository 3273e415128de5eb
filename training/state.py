"""Where a run stands, and whether a checkpoint belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ConflictError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Where a run stands after a step."""

    step: int
    """Optimiser steps done."""
    epoch: int
    """Epoch of the next batch, from 0."""
    cursor: int
    """Number of the next batch in that epoch."""
    horizon: int
    """Steps of the whole run: the learning rate depends on it."""
    seed: int
    """Seed of the run."""
    data_fingerprint: str
    """Digest of the training data."""
    settings: dict[str, object]
    """The settings on which updates depend, by dotted name."""
    best_step: int = -1
    """Step of the best evaluation so far; -1 before the first."""
    best_value: float = 0.0
    """Its value."""
    best_metrics: dict[str, float] = field(default_factory=dict)
    """All its metrics."""
    evaluations_since_best: int = 0
    """Evaluations since then, for early stopping."""
    grad_scaler: dict[str, float] = field(default_factory=dict)
    """Scale of float16 gradients and steps since its last change; empty for other precisions."""


def refuse_other_run(found: TrainingState, wanted: TrainingState, *, folder: Path) -> None:
    """Refuse to resume with other data, another length, or other settings.

    Raises:
        ConflictError: something differs on which the updates depend; the message names it.
    """
    if found.data_fingerprint != wanted.data_fingerprint:
        raise ConflictError(
            f"{folder} was trained on other data: its fingerprint is "
            f"{found.data_fingerprint[:12]}, that of the data given is "
            f"{wanted.data_fingerprint[:12]}; give the same pairs, or "
            "another --out"
        )
    for name in sorted(found.settings.keys() | wanted.settings.keys()):
        before, now = found.settings.get(name), wanted.settings.get(name)
        if before != now:
            raise ConflictError(
                f"{folder} was trained with {name} = {before!r}, now it is {now!r}; "
                "use the recipe of that run, or another --out"
            )
    if found.horizon != wanted.horizon:
        raise ConflictError(
            f"{folder} belongs to a run of {found.horizon} steps, this one has {wanted.horizon}; "
            "its learning rates would differ. Use the recipe of that run, or another --out"
        )
