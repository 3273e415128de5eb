"""Adding that is killed goes on where it was: nothing is lost, nothing stored is done again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_kill_9_loses_no_acknowledged_file_and_costs_no_second_embedding(tmp_path: Path) -> None:
    """Killed at files and inside the model; the log of the model proves what was embedded."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.index.killed_adds", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")
