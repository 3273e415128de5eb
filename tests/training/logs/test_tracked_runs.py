"""Rules of the ids under which services know a run."""

from __future__ import annotations

from pathlib import Path

from training.logs.tracked_runs import TrackedRuns


def test_a_resumed_run_keeps_its_ids(tmp_path: Path) -> None:
    """What was kept is found again, service by service."""
    TrackedRuns(tmp_path, resumed=False).keep("wandb", "abc")
    TrackedRuns(tmp_path, resumed=True).keep("mlflow", "def")

    found = TrackedRuns(tmp_path, resumed=True)
    assert (found.find("wandb"), found.find("mlflow")) == ("abc", "def")


def test_a_new_run_has_none(tmp_path: Path) -> None:
    """Ids of a run that left no checkpoint are not taken over."""
    TrackedRuns(tmp_path, resumed=False).keep("wandb", "abc")

    assert TrackedRuns(tmp_path, resumed=False).find("wandb") is None
    assert TrackedRuns(tmp_path / "none", resumed=True).find("wandb") is None
