"""The seam of logging: whatever takes the figures of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

LoggerName = Literal["wandb", "mlflow"]
"""Services that a run can also report to; each needs the extra of its name."""
Kind = str
"""What was measured: ``train`` or ``heldout``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingConfig:
    """How a run shows in the services of ``run.loggers``."""

    project: str = "sightline"
    """W&B project, MLflow experiment."""
    name: str = ""
    """Name of the run there; empty is the name of its folder."""
    wandb_mode: Literal["online", "offline"] = "online"
    """``offline`` keeps everything in the folder of the run, for ``wandb sync`` later."""
    mlflow_uri: str = ""
    """Address of the tracking server; empty is MLflow's own default, ``MLFLOW_TRACKING_URI``."""


class LogSink(Protocol):
    """Takes the figures of a run; it is told of each line once, in order of steps."""

    def write(self, kind: Kind, *, step: int, values: Mapping[str, float]) -> None:
        """Take one line: what was measured, after which step, and the finite values by name."""
        ...

    def close(self, *, failed: bool) -> None:
        """Flush; nothing is written afterwards. ``failed`` says that an error ended the run."""
        ...
