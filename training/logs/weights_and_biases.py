"""The log of a run in Weights & Biases."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from core.errors import ConfigError, TrainingError
from training.logs.sink import Kind, TrackingConfig
from training.logs.tracked_runs import TrackedRuns

_ID_DIGITS = 12


class WeightsAndBiases:
    """Sends values ``kind/name`` by step; W&B's own process does the sending."""

    def __init__(
        self,
        folder: Path,
        tracked: TrackedRuns,
        config: TrackingConfig,
        settings: Mapping[str, object],
    ) -> None:
        """Start a run in W&B, or go on with the one that ``tracked`` names.

        Raises:
            ConfigError: the package is not installed.
            TrainingError: W&B refuses the run, for example without a login.
        """
        try:
            import wandb
        except ImportError as error:
            raise ConfigError(
                "run.loggers names wandb, which is not installed: pip install 'sightline[wandb]', "
                "or take it out of run.loggers"
            ) from error
        run_id = tracked.find("wandb") or uuid.uuid4().hex[:_ID_DIGITS]
        try:
            self._run = wandb.init(
                project=config.project,
                name=config.name or folder.resolve().name,
                id=run_id,
                resume="allow",
                mode=config.wandb_mode,
                dir=str(folder),
                config=dict(settings),
                # The terminal is the progress bar's.
                settings=wandb.Settings(console="off", silent=True),
            )
        except wandb.Error as error:
            raise TrainingError(
                f"W&B does not start a run: {error}; log in with 'wandb login', or use "
                "--set run.tracking.wandb_mode=offline"
            ) from error
        tracked.keep("wandb", run_id)

    def write(self, kind: Kind, *, step: int, values: Mapping[str, float]) -> None:
        """Queue one line; W&B drops a step that it has, which a resumed run measures again."""
        self._run.log({f"{kind}/{name}": value for name, value in values.items()}, step=step)

    def close(self, *, failed: bool) -> None:
        """Send what is left and mark the run as finished or failed."""
        self._run.finish(exit_code=1 if failed else 0)
