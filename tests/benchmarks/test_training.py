"""The training benchmark runs and its two loops agree."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEER_NEEDS = ("webdataset", "braceexpand", "pandas")


def run(*sections: str) -> str:
    """Run the smoke size of some sections in a process and return what it printed."""
    command = [sys.executable, "-m", "benchmarks.training", "--quick", "--only", *sections]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_losses_are_those_of_the_loop_of_open_clip() -> None:
    """Six steps on the same batches within 1e-4; a GPU that is not there is said to be missing."""
    printed = run("curve", "loss", "gpu")

    assert "(reached)" in next(line for line in printed.splitlines() if "relative" in line)
    assert "CUDA: not run" in printed


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PEER_NEEDS),
    reason="open_clip's trainer needs webdataset, braceexpand and pandas",
)
def test_rates_of_both_trainers_are_read_from_their_logs() -> None:
    """Both run as processes on one data set, and a line with the ratio comes out."""
    printed = run("rates")

    assert "ours" in printed
    assert "ratio" in printed
