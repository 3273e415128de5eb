"""A writer that is killed with SIGKILL loses nothing that it acknowledged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from index.faults import POINTS

KILLS = 102
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_kill_9_at_any_point_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each death every item that must be there is at rank 1, and no other is; see killing."""
    command = [sys.executable, "-m", "tests.index.killing", str(tmp_path), str(KILLS), "0"]

    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert sum(report["kills"].values()) == KILLS
    assert report["kills"].keys() >= set(POINTS)
    assert report["acknowledged"] > KILLS
