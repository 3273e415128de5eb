"""The benchmark of filters runs and reports each selectivity."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_benchmark_of_filters_runs() -> None:
    """Five selectivities, one line each."""
    command = [sys.executable, "-m", "benchmarks.filters", "--items", "500", "--rounds", "2"]

    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("no filter") == 5
