"""Rules of the record of a run."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import ArtifactError
from training.config import TrainConfig
from training.run_record import RunStatus, end_session, start_session, write_run_record

CPU = torch.device("cpu")


def recorded(folder: Path) -> Any:
    """Return what run.json holds, by a strict reader."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads((folder / "run.json").read_text(), parse_constant=refuse)


def start(folder: Path, *, step: int = 0) -> None:
    """Start a session of one process."""
    start_session(folder, TrainConfig(), device=CPU, world_size=1, step=step)


def test_a_run_is_recorded_before_it_starts(tmp_path: Path) -> None:
    """Settings, seed, data, versions and commit, and no session yet."""
    write_run_record(tmp_path, TrainConfig(), data={"train": "pairs.jsonl", "train_pairs": 3})

    record = recorded(tmp_path)
    assert record["data"] == {"train": "pairs.jsonl", "train_pairs": 3}
    assert record["seed"] == 0
    assert record["sessions"] == []
    assert set(record["versions"]) >= {"python", "torch", "open_clip_torch", "numpy"}
    assert json.loads((tmp_path / "config.json").read_text())["run"]["seed"] == 0


def test_a_session_that_goes_on_or_was_killed_is_running(tmp_path: Path) -> None:
    """It names machine, threads, precision, processes and versions, and has no end."""
    write_run_record(tmp_path, TrainConfig(), data={})
    start(tmp_path)

    (session,) = recorded(tmp_path)["sessions"]
    assert session["status"] == "running"
    assert session["processes"] == 1
    assert session["precision"] == "float32"
    assert session["machine"]["torch_threads"] == torch.get_num_threads()
    assert session["machine"]["cpu"]
    assert session["machine"]["device"] == "cpu"
    assert session["machine"]["device_name"] is None
    assert torch.__version__.startswith(session["versions"]["torch"])
    assert "ended_at" not in session


@pytest.mark.parametrize("status", ["finished", "stopped_early", "interrupted", "failed"])
def test_an_end_has_status_step_and_peak_memory(tmp_path: Path, status: RunStatus) -> None:
    """This process takes more than 50 MB and less than 100 GB."""
    write_run_record(tmp_path, TrainConfig(), data={})
    start(tmp_path)
    end_session(tmp_path, status=status, device=CPU, step=7)

    (session,) = recorded(tmp_path)["sessions"]
    assert (session["status"], session["first_step"], session["last_step"]) == (status, 0, 7)
    assert 50 < session["peak_memory_mb"]["process"] < 100_000
    assert session["peak_memory_mb"]["device"] is None
    assert datetime.fromisoformat(session["started_at"]) <= datetime.fromisoformat(
        session["ended_at"]
    )


def test_a_resumed_run_has_a_session_more(tmp_path: Path) -> None:
    """The ones before stay as they were."""
    write_run_record(tmp_path, TrainConfig(), data={"train": "pairs.jsonl"})
    start(tmp_path)
    end_session(tmp_path, status="interrupted", device=CPU, step=7)
    start(tmp_path, step=7)
    end_session(tmp_path, status="finished", device=CPU, step=20)

    record = recorded(tmp_path)
    assert [session["status"] for session in record["sessions"]] == ["interrupted", "finished"]
    assert [session["first_step"] for session in record["sessions"]] == [0, 7]
    assert record["data"] == {"train": "pairs.jsonl"}


def test_a_session_without_a_record_is_refused(tmp_path: Path) -> None:
    """The folder is not that of a run."""
    with pytest.raises(ArtifactError, match=r"run\.json does not exist"):
        start(tmp_path)
