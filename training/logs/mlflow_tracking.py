"""The log of a run in MLflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError, TrainingError
from training.logs.sink import Kind, TrackingConfig
from training.logs.tracked_runs import TrackedRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

_LONGEST_PARAMETER = 500
_PARAMETERS_AT_ONCE = 100


class MlflowTracking:
    """Sends values ``kind/name``, with ``_at_`` for the ``@`` that MLflow refuses in names."""

    def __init__(
        self,
        folder: Path,
        tracked: TrackedRuns,
        config: TrackingConfig,
        settings: Mapping[str, object],
    ) -> None:
        """Start a run in MLflow, or go on with the one that ``tracked`` names.

        Raises:
            ConfigError: the package is not installed.
            TrainingError: the tracking server cannot be reached or refuses the run.
        """
        try:
            import mlflow
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise ConfigError(
                "run.loggers names mlflow, which is not installed: "
                "pip install 'sightline[mlflow]', or take it out of run.loggers"
            ) from error
        self._refusal = MlflowException
        try:
            self._client = mlflow.MlflowClient(tracking_uri=config.mlflow_uri or None)
            known = tracked.find("mlflow")
            if known is not None:
                self._client.update_run(known, status="RUNNING")
            self._run_id = known or _new_run(self._client, folder, config, settings)
        except MlflowException as error:
            where = config.mlflow_uri or "MLflow's default address"
            raise TrainingError(
                f"MLflow at {where} does not start a run: {error}; correct "
                "run.tracking.mlflow_uri, or take mlflow out of run.loggers"
            ) from error
        tracked.keep("mlflow", self._run_id)
        self._is_on = True

    def write(self, kind: Kind, *, step: int, values: Mapping[str, float]) -> None:
        """Send one line; after a refusal no more is sent, and a warning says so.

        A tracking server that goes away must not end a run: ``metrics.jsonl`` holds every line.
        """
        if not self._is_on:
            return
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        metrics = [
            Metric(f"{kind}/{name.replace('@', '_at_')}", value, now_ms, step)
            for name, value in values.items()
        ]
        try:
            self._client.log_batch(self._run_id, metrics=metrics)
        except self._refusal as error:
            self._is_on = False
            logger.warning(
                "MLflow refused a line; nothing more is sent to it, metrics.jsonl goes on",
                extra={"step": step, "error": str(error)},
            )

    def close(self, *, failed: bool) -> None:
        """Mark the run as finished or failed."""
        if not self._is_on:
            return
        try:
            self._client.set_terminated(self._run_id, status="FAILED" if failed else "FINISHED")
        except self._refusal as error:
            logger.warning("MLflow did not close the run", extra={"error": str(error)})


def _new_run(
    client: MlflowClient, folder: Path, config: TrackingConfig, settings: Mapping[str, object]
) -> str:
    from mlflow.entities import Param

    experiment = client.get_experiment_by_name(config.project)
    experiment_id = (
        experiment.experiment_id if experiment else client.create_experiment(config.project)
    )
    run = client.create_run(experiment_id, run_name=config.name or folder.resolve().name)
    run_id = str(run.info.run_id)
    parameters = [Param(key, str(value)[:_LONGEST_PARAMETER]) for key, value in settings.items()]
    for start in range(0, len(parameters), _PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=parameters[start : start + _PARAMETERS_AT_ONCE])
    return run_id
