"""What a run measured: one JSON object a line, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.artifacts import write_atomic

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

METRICS_NAME = "metrics.jsonl"


class MetricsLog:
    """Appends lines to ``metrics.jsonl`` and scalars to ``tensorboard/`` of a run's folder."""

    def __init__(self, folder: Path, *, first_step: int = 0) -> None:
        """Open the log; lines of ``first_step`` and later, left by a killed run, are dropped."""
        self._path = folder / METRICS_NAME
        _drop_from(self._path, first_step)
        self._file = self._path.open("a", encoding="utf-8")
        self._board = _summary_writer(folder / "tensorboard", first_step)

    def write(self, kind: str, *, step: int, values: Mapping[str, float]) -> None:
        """Append one line: ``kind`` (``train`` or ``heldout``), the step, and the values."""
        line = json.dumps({"kind": kind, "step": step, **values}, allow_nan=False)
        self._file.write(line + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Flush and close both files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _drop_from(path: Path, first_step: int) -> None:
    if not path.exists():
        return
    kept = [
        line for line in path.read_text(encoding="utf-8").splitlines() if _before(line, first_step)
    ]
    write_atomic(path, "".join(f"{line}\n" for line in kept).encode())


def _before(line: str, first_step: int) -> bool:
    try:
        return int(json.loads(line)["step"]) <= first_step
    except (ValueError, KeyError, TypeError):
        # A line that a crash cut short.
        return False


def _summary_writer(folder: Path, first_step: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.info("tensorboard is not installed; metrics go to metrics.jsonl alone")
        return None
    return SummaryWriter(str(folder), purge_step=first_step + 1 if first_step else None)
