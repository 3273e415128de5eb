"""Rules of runs that are killed: nothing is lost but the steps since the newest checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training import killing
from training.checkpoint import list_checkpoints, read_checkpoint

REPOSITORY = Path(killing.__file__).parents[2]

# In one worker, so that the deaths are died once.
pytestmark = pytest.mark.xdist_group("kill")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where one run lived in peace and one died twenty times."""
    target = tmp_path_factory.mktemp("kill")
    done = subprocess.run(
        [sys.executable, str(Path(killing.__file__)), str(target)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return target


@pytest.mark.slow
def test_twenty_deaths_change_no_bit(folder: Path) -> None:
    """Traps 13 and 14: after SIGKILL at random steps every tensor equals the unbroken run's."""
    whole, killed = (
        read_checkpoint(list_checkpoints(folder / name / "checkpoints")[-1])
        for name in ("whole", "killed")
    )

    assert whole.state.step == whole.state.horizon == 60
    assert killed.state == whole.state
    for name, value in {**whole.weights, **whole.optimiser}.items():
        assert torch.equal({**killed.weights, **killed.optimiser}[name], value), name


@pytest.mark.slow
def test_the_models_are_the_same_file(folder: Path) -> None:
    """What is exported in the end is equal byte for byte."""
    whole, killed = (
        (folder / name / "model" / "open_clip_model.safetensors").read_bytes()
        for name in ("whole", "killed")
    )

    assert killed == whole


@pytest.mark.slow
def test_the_log_tells_each_step_once(folder: Path) -> None:
    """Lines of steps that died are dropped; the losses are those of the unbroken run."""
    whole, killed = (
        [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "killed")
    )

    assert [line["step"] for line in killed] == list(range(1, 61))
    assert [line["loss"] for line in killed] == [line["loss"] for line in whole]
