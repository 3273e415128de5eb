"""The folder of a run: its checkpoints, its best weights, and who may write into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import ConflictError, TrainingError
from training.checkpoint import (
    Checkpoint,
    checkpoint_folder,
    drop_checkpoints,
    list_checkpoints,
    prune_checkpoints,
    read_checkpoint,
    write_checkpoint,
)
from training.state import TrainingState, refuse_other_run
from training.world import World


class RunFolder:
    """Keeps the newest checkpoints and the best weights of one run."""

    def __init__(self, path: Path, *, keep: int, world: World | None = None) -> None:
        """Name the folder; nothing is written yet."""
        self._world = world or World.single()
        self.path = path
        self._checkpoints, self._best = path / "checkpoints", path / "best"
        self._keep = keep

    def enter(self, state: TrainingState, *, resume: bool) -> Checkpoint | None:
        """Return the newest checkpoint of a run to resume, or make room for a new run.

        Raises:
            ConflictError: the folder holds a run and ``resume`` is false, or its checkpoint is of
                another data set or recipe than ``state``.
            TrainingError: ``resume`` without a checkpoint.
        """
        existing = list_checkpoints(self._checkpoints)
        if resume and not existing:
            raise TrainingError(f"{self.path} holds no checkpoint; start it without --resume")
        if existing and not resume:
            raise ConflictError(
                f"{self.path} holds a run already; go on with --resume or choose another --out"
            )
        # No rank writes before all have looked.
        self._world.barrier()
        self.path.mkdir(parents=True, exist_ok=True)
        checkpoint = read_checkpoint(existing[-1]) if resume else None
        done = 0
        if checkpoint is not None:
            refuse_other_run(checkpoint.state, state, folder=checkpoint.folder)
            done = checkpoint.state.step
        # Best weights that a crash left behind, later than the checkpoint or of a dead run.
        if self._world.is_first:
            drop_checkpoints(self._best, keep=lambda step: 0 < step <= done)
        return checkpoint

    def write_best(self, model: nn.Module, state: TrainingState) -> None:
        """Keep the weights as the best so far, beside the former best."""
        target = checkpoint_folder(self._best, state.step)
        write_checkpoint(target, model=model, optimiser=None, state=state, world=self._world)

    def write(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        state: TrainingState,
        *,
        ema: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write a checkpoint and delete what is not needed any more.

        Raises:
            TrainingError: the disk refused it; earlier checkpoints are untouched.
        """
        target = checkpoint_folder(self._checkpoints, state.step)
        write_checkpoint(
            target, model=model, optimiser=optimiser, state=state, ema=ema, world=self._world
        )
        if not self._world.is_first:
            return
        prune_checkpoints(self._checkpoints, keep=self._keep)
        # Only now: until this checkpoint was there, a resume would have needed the former best.
        drop_checkpoints(self._best, keep=lambda step: step == state.best_step)

    def last(self) -> Path:
        """Return the newest checkpoint."""
        return list_checkpoints(self._checkpoints)[-1]

    def best(self, state: TrainingState) -> Path:
        """Return the best weights, or the newest checkpoint of a run that was never evaluated."""
        if state.best_step < 0:
            return self.last()
        return checkpoint_folder(self._best, state.best_step)
