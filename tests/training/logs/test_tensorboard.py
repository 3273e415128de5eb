"""Rules of the log as TensorBoard scalars."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from core.errors import TrainingError
from training.logs.tensorboard import TensorBoard


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    """Return (step, value) of what TensorBoard itself reads."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_values_are_scalars_by_kind_and_name(tmp_path: Path) -> None:
    """TensorBoard reads the value at its step."""
    board = TensorBoard(tmp_path, first_step=0)
    board.write("heldout", step=3, values={"mean_hit@1": 0.25, "mean_mrr": 0.5})
    board.close(failed=False)

    assert scalars(tmp_path, "heldout/mean_hit@1") == [(3, 0.25)]
    assert scalars(tmp_path, "heldout/mean_mrr") == [(3, 0.5)]


def test_a_resumed_run_replaces_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    """Steps 3 and 4 of the killed run are hidden by those of the resumed one."""
    killed = TensorBoard(tmp_path, first_step=0)
    for step in (1, 2, 3, 4):
        killed.write("train", step=step, values={"loss": float(step)})
    killed.close(failed=True)
    first = next((tmp_path / "tensorboard").iterdir())
    # File names hold the second, and the reader goes by name.
    first.rename(first.with_name(first.name.replace("tfevents.", "tfevents.0")))
    resumed = TensorBoard(tmp_path, first_step=2)
    resumed.write("train", step=3, values={"loss": 30.0})
    resumed.close(failed=False)

    assert scalars(tmp_path, "train/loss") == [(1, 1.0), (2, 2.0), (3, 30.0)]


def test_a_missing_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is always written, so it has to be there; the message names the extra."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    with pytest.raises(TrainingError, match=r"sightline\[train\]"):
        TensorBoard(tmp_path, first_step=0)
