"""What a run measured: every line goes to all sinks of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from training.logs.json_lines import JsonLines
from training.logs.mlflow_tracking import MlflowTracking
from training.logs.sink import LoggerName, LogSink, TrackingConfig
from training.logs.tensorboard import TensorBoard
from training.logs.tracked_runs import TrackedRuns
from training.logs.weights_and_biases import WeightsAndBiases

_OpenService = Callable[[Path, TrackedRuns, TrackingConfig, Mapping[str, object]], LogSink]
_SERVICES: Mapping[LoggerName, _OpenService] = {
    "wandb": WeightsAndBiases,
    "mlflow": MlflowTracking,
}


class MetricsLog:
    """Writes ``metrics.jsonl`` and ``tensorboard/``, and reports to services that were asked for.

    Used with ``with``, it tells the services whether an error ended the run.
    """

    def __init__(
        self,
        folder: Path,
        *,
        first_step: int = 0,
        loggers: Sequence[LoggerName] = (),
        tracking: TrackingConfig | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Open all sinks; lines after ``first_step``, left by a killed run, are dropped.

        Args:
            folder: of the run.
            first_step: of the checkpoint that is resumed; 0 for a new run.
            loggers: services besides the files.
            tracking: how the run shows there.
            settings: resolved settings of the run by dotted name, shown there.

        Raises:
            ConfigError: the package of a service is not installed.
            TrainingError: a service cannot be reached or refuses the run.
        """
        self._sinks: list[LogSink] = []
        tracked = TrackedRuns(folder, resumed=first_step > 0)
        with ExitStack() as opened:
            self._open(opened, JsonLines(folder, first_step=first_step))
            self._open(opened, TensorBoard(folder, first_step=first_step))
            for name in dict.fromkeys(loggers):
                open_service = _SERVICES[name]
                sink = open_service(folder, tracked, tracking or TrackingConfig(), settings or {})
                self._open(opened, sink)
            # All are open: from here on close() is what closes them.
            opened.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all sinks."""
        self.close(failed=error is not None)

    def write(self, kind: str, *, step: int, values: Mapping[str, float]) -> None:
        """Write one line to all sinks: ``kind`` (``train`` or ``heldout``), step, finite values."""
        for sink in self._sinks:
            sink.write(kind, step=step, values=values)

    def close(self, *, failed: bool = False) -> None:
        """Flush and close all sinks."""
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(partial(sink.close, failed=failed))

    def _open(self, opened: ExitStack, sink: LogSink) -> None:
        self._sinks.append(sink)
        opened.callback(partial(sink.close, failed=True))
