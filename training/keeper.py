"""What a run keeps: its average, its best weights, its checkpoints."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import torch

from training.checkpoint import restore_optimiser, restore_weights
from training.config import RunConfig
from training.ema import Ema
from training.judge import Judge
from training.run_folder import RunFolder
from training.state import TrainingState
from training.towers.forward import TwoTowers


class Keeper:
    """Evaluates weights when it is due, and writes what must not be lost."""

    def __init__(
        self,
        towers: TwoTowers,
        optimiser: torch.optim.Optimizer,
        judge: Judge,
        folder: RunFolder,
        config: RunConfig,
    ) -> None:
        """Watch the weights as they are now; the average starts with them."""
        self._towers, self._optimiser, self._judge = towers, optimiser, judge
        self._folder, self._config = folder, config
        self._ema = Ema(towers.model, config.ema_decay) if config.ema_decay else None

    def enter(self, state: TrainingState, *, resume: bool) -> TrainingState:
        """Claim the folder; return the state of the checkpoint to go on from, or ``state``.

        Raises:
            ConflictError: see ``RunFolder.enter``, or the checkpoint is of another architecture.
            TrainingError: ``resume`` without a checkpoint.
        """
        checkpoint = self._folder.enter(state, resume=resume)
        if checkpoint is None:
            return state
        restore_weights(self._towers.model, checkpoint)
        restore_optimiser(self._optimiser, checkpoint)
        if self._ema is not None:
            self._ema.load_state_dict(checkpoint.ema)
        return checkpoint.state

    def updated(self, state: TrainingState) -> None:
        """Move the average after an update."""
        if self._ema is not None:
            self._ema.update(state.step)

    def evaluation_is_due(self, state: TrainingState) -> bool:
        """Return whether the weights are to be judged now."""
        return self._judge.has_pairs and is_due(state, self._config.evaluate_every_steps)

    def evaluate(self, state: TrainingState) -> tuple[TrainingState, dict[str, float]]:
        """Judge the weights (their average, where there is one) and keep them if they are best."""
        with self._ema.applied() if self._ema is not None else nullcontext():
            metrics = self._judge.measure(self._towers)
            state = self._judge.judged(state, metrics)
            if state.best_step == state.step:
                self._folder.write_best(self._towers.model, state)
        return state, metrics

    def is_over(self, state: TrainingState) -> bool:
        """Return whether the run has waited long enough for a better evaluation."""
        return self._judge.is_over(state)

    def write(self, state: TrainingState, *, stopping: bool) -> TrainingState:
        """Write a checkpoint if it is due or the run stops; return the state that it holds.

        Raises:
            TrainingError: the disk refused it; earlier checkpoints are untouched.
        """
        at_end = state.step == state.horizon
        if self._ema is not None and at_end and not self._judge.has_pairs:
            state = self._keep_average(self._ema, state)
        if stopping or is_due(state, self._config.checkpoint_every_steps):
            average = self._ema.state_dict() if self._ema is not None else None
            self._folder.write(self._towers.model, self._optimiser, state, ema=average)
        return state

    def _keep_average(self, ema: Ema, state: TrainingState) -> TrainingState:
        """Without held-out pairs, what a run ends with still is the average."""
        state = replace(state, best_step=state.step)
        with ema.applied():
            self._folder.write_best(self._towers.model, state)
        return state


def is_due(state: TrainingState, every_steps: int) -> bool:
    """Return whether something done every n steps (0: at the end of an epoch) is due now."""
    if state.step == state.horizon:
        return True
    if every_steps == 0:
        return state.cursor == 0
    return state.step % every_steps == 0
