"""What goes into a run, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from encoders.preprocessing import Preprocessing
from training.data.batches import TrainingData
from training.data.heldout import HeldOut
from training.towers.computed import Side
from training.zero_shot import LabelTask


@dataclass(frozen=True, slots=True)
class RunData:
    """What a run trains on and is judged by."""

    train: TrainingData
    """Pairs to learn from."""
    heldout: HeldOut | None = None
    """Pairs to judge by; without them the newest weights count as the best."""
    labels: LabelTask | None = None
    """Classes of the held-out images, to be told apart zero-shot."""
    preprocessing: Preprocessing | None = None
    """Colours of the model, for data that hands out uint8 pictures."""
    computed: frozenset[Side] = frozenset()
    """Sides whose batches hold embeddings, because their tower is locked."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    steps: int
    """Optimiser steps done, those before a resume included."""
    horizon: int
    """Steps of the whole run."""
    interrupted: bool
    """Whether Ctrl-C ended it; ``fit(resume=True)`` goes on."""
    last: Path
    """The newest checkpoint."""
    best: Path
    """The best weights (a checkpoint without optimiser), else the newest checkpoint."""
    metrics: dict[str, float]
    """The best evaluation; empty without held-out pairs."""
    stopped_early: bool = False
    """Whether the run ended because evaluations got no better."""
