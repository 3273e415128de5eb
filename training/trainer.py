"""The training loop: any dual encoder, any source of batches, resumable to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from core.errors import TrainingError
from core.progress import Progress, ProgressFactory, silent
from core.types import IdArray
from training.batches import MIN_BATCH, Batch, BatchPlan, TrainingData
from training.checkpoint import TrainingState, restore_optimiser, restore_weights
from training.config import Device, TrainConfig, update_settings
from training.dual_encoder import as_dual_encoder
from training.heldout import HeldOut, evaluate
from training.interrupt import InterruptGuard
from training.meter import Meter
from training.metrics_log import MetricsLog
from training.optimiser import build_optimiser
from training.prefetch import prefetched
from training.run_folder import RunFolder
from training.schedule import learning_rate_at, total_steps
from training.step import Stepper, StepResult


@dataclass(frozen=True, slots=True)
class RunData:
    """What a run trains on and is judged by."""

    train: TrainingData
    """Pairs to learn from."""
    heldout: HeldOut | None = None
    """Pairs to judge by; without them the newest weights count as the best."""


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


class Trainer:
    """Trains one model in one folder."""

    def __init__(
        self,
        model: nn.Module,
        data: RunData,
        config: TrainConfig,
        folder: Path,
        progress: ProgressFactory = silent,
    ) -> None:
        """Check the model and the data, and move the model to its device.

        Raises:
            TrainingError: the model breaks the contract of ``DualEncoder``, or CUDA is missing.
            PairsError: fewer than two training pairs.
            ConfigError: a batch larger than the data.
        """
        self._config, self._progress = config, progress
        self._folder = RunFolder(folder, keep=config.run.keep_checkpoints)
        self._data = data
        self._plan = BatchPlan(
            num_pairs=len(data.train),
            batch_size=config.data.batch_size,
            seed=config.run.seed,
            drop_last=config.data.drop_last,
        )
        self._device = choose_device(config.run.device)
        self._model = as_dual_encoder(model).to(self._device)
        self._optimiser = build_optimiser(self._model, config.optimiser)
        self._stepper = Stepper(
            self._model,
            self._optimiser,
            device=self._device,
            seed=config.run.seed,
            max_grad_norm=config.optimiser.max_grad_norm,
            autocast=config.run.precision == "bfloat16",
        )
        self._state = TrainingState(
            step=0,
            epoch=0,
            cursor=0,
            horizon=total_steps(config.schedule, steps_per_epoch=self._plan.steps_per_epoch),
            seed=config.run.seed,
            data_fingerprint=data.train.fingerprint,
            settings=dict(update_settings(config)),
        )

    def fit(self, *, resume: bool = False) -> RunResult:
        """Train to the horizon, or until Ctrl-C, and return where the weights are.

        Raises:
            ConflictError: the folder holds a run and ``resume`` is false, or its checkpoint is of
                another architecture, data set or recipe.
            TrainingError: ``resume`` without a checkpoint, or a disk that refuses a checkpoint.
            NonFiniteLossError: a loss is NaN or infinite; checkpoints so far are intact.
        """
        if self._config.run.threads:
            torch.set_num_threads(self._config.run.threads)
        checkpoint = self._folder.enter(self._state, resume=resume)
        if checkpoint is not None:
            restore_weights(self._model, checkpoint)
            restore_optimiser(self._optimiser, checkpoint)
            self._state = checkpoint.state
        log = MetricsLog(self._folder.path, first_step=self._state.step)
        try:
            with InterruptGuard() as guard, self._bar() as bar:
                self._train(guard, bar, log)
        finally:
            log.close()
        return self._result()

    def _train(self, guard: InterruptGuard, bar: Progress, log: MetricsLog) -> None:
        self._model.train()
        meter = Meter()
        workers = self._config.data.workers
        with closing(prefetched(self._make_batch, self._positions(), workers=workers)) as batches:
            for batch in batches:
                meter.got_batch()
                result = self._step(batch)
                meter.finished(result, len(batch))
                stopping = guard.requested
                self._after_step(result, meter, bar, log, stopping=stopping)
                if stopping:
                    return

    def _positions(self) -> Iterator[tuple[int, IdArray]]:
        """Yield (epoch, indices) of every batch that is left."""
        cursor, left = self._state.cursor, self._state.horizon - self._state.step
        for epoch in range(self._state.epoch, self._config.schedule.epochs):
            for indices_B in self._plan.epoch_batches(epoch, cursor=cursor):
                if left == 0:
                    return
                left -= 1
                yield epoch, indices_B
            cursor = 0

    def _make_batch(self, position: tuple[int, IdArray]) -> Batch:
        epoch, indices_B = position
        return self._data.train.batch(indices_B, epoch=epoch)

    def _step(self, batch: Batch) -> StepResult | None:
        """Make one update and move the position; a batch without a negative is passed over."""
        result = None
        if len(batch) >= MIN_BATCH:
            result = self._stepper.step(
                batch, number=self._state.step, learning_rate=self._learning_rate()
            )
        cursor = self._state.cursor + 1
        at_end = cursor == self._plan.steps_per_epoch
        self._state = replace(
            self._state,
            step=self._state.step + 1,
            epoch=self._state.epoch + (1 if at_end else 0),
            cursor=0 if at_end else cursor,
        )
        return result

    def _learning_rate(self) -> float:
        return learning_rate_at(
            self._state.step,
            peak=self._config.optimiser.learning_rate,
            horizon=self._state.horizon,
            config=self._config.schedule,
        )

    def _after_step(
        self,
        result: StepResult | None,
        meter: Meter,
        bar: Progress,
        log: MetricsLog,
        *,
        stopping: bool,
    ) -> None:
        run, step = self._config.run, self._state.step
        if result is not None:
            bar.advance(
                self._plan.batch_size,
                loss=f"{result.loss:.3f}",
                scale=f"{result.logit_scale:.1f}",
                **self._shown_metric(),
            )
        if step % run.log_every_steps == 0 or self._is_due(0):
            values = {
                **meter.read(),
                "epoch": float(self._state.epoch),
                "lr": self._learning_rate(),
            }
            log.write("train", step=step, values=values)
        if self._is_due(run.evaluate_every_steps):
            self._evaluate(log)
        if stopping or self._is_due(run.checkpoint_every_steps):
            self._folder.write(self._model, self._optimiser, self._state)

    def _is_due(self, every_steps: int) -> bool:
        """Return whether something done every n steps (0: at the end of an epoch) is due now."""
        if self._state.step == self._state.horizon:
            return True
        if every_steps == 0:
            return self._state.cursor == 0
        return self._state.step % every_steps == 0

    def _evaluate(self, log: MetricsLog) -> None:
        """Measure the held-out pairs, and keep the weights if they are the best so far."""
        if self._data.heldout is None:
            return
        metrics = evaluate(
            self._model,
            self._data.heldout,
            batch_size=self._config.run.evaluate_batch,
            device=self._device,
        )
        log.write("heldout", step=self._state.step, values=metrics)
        value = metrics[f"mean_{self._config.run.best_metric}"]
        if self._state.best_step >= 0 and value <= self._state.best_value:
            return
        self._state = replace(
            self._state, best_step=self._state.step, best_value=value, best_metrics=metrics
        )
        self._folder.write_best(self._model, self._state)

    def _shown_metric(self) -> dict[str, str]:
        if self._state.best_step < 0:
            return {}
        name = self._config.run.best_metric
        return {name: f"{self._state.best_value:.3f}"}

    def _bar(self) -> Progress:
        size = self._plan.batch_size
        return self._progress(
            "training",
            total=self._state.horizon * size,
            unit="samples",
            initial=self._state.step * size,
        )

    def _result(self) -> RunResult:
        return RunResult(
            steps=self._state.step,
            horizon=self._state.horizon,
            interrupted=self._state.step < self._state.horizon,
            last=self._folder.last(),
            best=self._folder.best(self._state),
            metrics=self._state.best_metrics,
        )


def choose_device(device: Device) -> torch.device:
    """Return the device of a setting; ``auto`` takes CUDA where there is a device.

    Raises:
        TrainingError: ``cuda`` was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise TrainingError("run.device = cuda, but torch sees no CUDA device; use auto or cpu")
    return torch.device("cuda" if available and device != "cpu" else "cpu")
