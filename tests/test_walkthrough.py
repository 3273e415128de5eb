"""The whole loop as documented: train, export, add, search, evaluate, serve."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a TCP port that nobody else gets by chance; who asks for it by number may listen."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@pytest.mark.slow
def test_the_walkthrough_runs_from_training_to_an_answer(tmp_path: Path) -> None:
    """The script behind docs/walkthrough.md ends with a search answer, after a short training."""
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "walkthrough.sh", tmp_path / "examples")
    (tmp_path / "examples" / "pairs").symlink_to(ROOT / "examples" / "pairs")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    with reserved_port() as port:
        done = subprocess.run(
            ["bash", str(tmp_path / "examples" / "walkthrough.sh"), "--set", "schedule.epochs=1"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": programs, "PORT": str(port)},
        )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert len(answer["hits"]) == 3
    assert "mean reciprocal rank" in done.stdout
