"""The benchmark of crashes runs, and says so when something is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_benchmark_of_crashes_runs() -> None:
    """Six deaths and a second of load: one report each, exit code 0."""
    command = [sys.executable, "-m", "benchmarks.crash", "--kills", "6", "--seconds", "1"]

    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert '"acknowledged"' in done.stdout
    assert "searches=" in done.stdout
