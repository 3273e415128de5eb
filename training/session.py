"""What a run says while one process works on it: bar, log, hints, record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from core.progress import Progress, ProgressFactory, silent
from training.config import TrainConfig, update_settings
from training.hints import Hints
from training.meter import Meter
from training.metrics_log import MetricsLog
from training.run_record import RECORD_NAME, RunStatus, end_session, start_session
from training.state import TrainingState
from training.step import StepResult
from training.world import World


class Session:
    """Open while a process trains; the first rank speaks and writes, the others only measure."""

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        state: TrainingState,
        *,
        device: torch.device,
        world: World,
        progress: ProgressFactory,
    ) -> None:
        """Prepare; nothing is written before it is entered."""
        self._folder, self._config, self._state = folder, config, state
        self._device, self._world = device, world
        self._progress = progress if world.is_first else silent
        self._opened = ExitStack()
        self._log: MetricsLog | None = None
        self._bar: Progress
        self._meter, self._hints = Meter(), Hints()
        self.status: RunStatus = "failed"
        """How it ended; an error leaves it at ``failed``."""

    def __enter__(self) -> Self:
        """Open the log, begin the record, show the bar.

        Raises:
            ConfigError: the package of a logging service is not installed.
        """
        run, state = self._config.run, self._state
        if self._world.is_first:
            self._log = self._opened.enter_context(
                MetricsLog(
                    self._folder,
                    first_step=state.step,
                    loggers=run.loggers,
                    tracking=run.tracking,
                    settings=update_settings(self._config),
                )
            )
            self._start_record(state)
        size = self._config.data.batch_size
        self._bar = self._opened.enter_context(
            self._progress(
                "training",
                total=state.horizon * size,
                unit="samples",
                initial=state.step * size,
            )
        )
        self._meter = Meter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the record and close bar and log, which are told of the error."""
        try:
            if self._world.is_first and self._has_record():
                end_session(
                    self._folder, status=self.status, device=self._device, step=self._state.step
                )
        finally:
            self._opened.__exit__(kind, error, trace)

    def got_batch(self) -> None:
        """Mark the moment when the batch of the next step is there."""
        self._meter.got_batch()

    def stepped(
        self,
        state: TrainingState,
        result: StepResult | None,
        *,
        samples: int,
        learning_rate: float,
        best: Mapping[str, str],
    ) -> None:
        """Show and, where it is due, log a step; ``None`` is one that was passed over."""
        self._state = state
        self._meter.finished(result, samples)
        if result is not None:
            self._bar.advance(
                self._config.data.batch_size,
                loss=f"{result.loss:.3f}",
                scale=f"{result.logit_scale:.1f}",
                **self._meter.shown(),
                **best,
            )
        at_end_of_epoch = state.cursor == 0 or state.step == state.horizon
        if state.step % self._config.run.log_every_steps == 0 or at_end_of_epoch:
            values = {**self._meter.read(), "epoch": float(state.epoch), "lr": learning_rate}
            self._write("train", values)
            if self._world.is_first:
                self._hints.look(values, step=state.step)

    def evaluated(self, state: TrainingState, metrics: Mapping[str, float]) -> None:
        """Log an evaluation."""
        self._state = state
        self._write("heldout", metrics)

    def paused(self) -> AbstractContextManager[None]:
        """Leave what runs inside out of the rates: it is not training."""
        return self._meter.paused()

    def _write(self, kind: str, values: Mapping[str, float]) -> None:
        if self._log is not None:
            self._log.write(kind, step=self._state.step, values=values)

    def _start_record(self, state: TrainingState) -> None:
        # A trainer that was called from Python has no record of a command.
        if self._has_record():
            start_session(
                self._folder,
                self._config,
                device=self._device,
                world_size=self._world.size,
                step=state.step,
            )

    def _has_record(self) -> bool:
        return (self._folder / RECORD_NAME).is_file()
