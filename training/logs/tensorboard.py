"""The log of a run as TensorBoard scalars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.errors import TrainingError
from training.logs.sink import Kind

BOARD_NAME = "tensorboard"


class TensorBoard:
    """Writes scalars ``kind/name`` to ``tensorboard/`` of a run's folder."""

    def __init__(self, folder: Path, *, first_step: int) -> None:
        """Open a file of events; TensorBoard hides what a killed run left after ``first_step``.

        Raises:
            TrainingError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TrainingError(
                "tensorboard is not installed; it belongs to: pip install 'sightline[train]'"
            ) from error
        purge = first_step + 1 if first_step else None
        self._board = SummaryWriter(str(folder / BOARD_NAME), purge_step=purge)

    def write(self, kind: Kind, *, step: int, values: Mapping[str, float]) -> None:
        """Add one scalar per value."""
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self, *, failed: bool) -> None:
        """Flush and close the file."""
        self._board.close()
