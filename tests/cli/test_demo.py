"""Rules of ``sightline demo``."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LAST_LINE = "Stop with Ctrl-C."


def start_demo(gallery: Path) -> subprocess.Popen[str]:
    """Start the demo on a free port."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "demo", "--port", "0", "--gallery", str(gallery)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def run_until_introduced(gallery: Path) -> tuple[str, str, int]:
    """Run the demo until it has shown its commands, then press Ctrl-C.

    Returns what it printed on stdout, on stderr, and its exit code.
    """
    process = start_demo(gallery)
    assert process.stderr is not None
    messages = []
    for line in process.stderr:
        messages.append(line)
        if LAST_LINE in line:
            break
    process.send_signal(signal.SIGINT)
    printed, rest = process.communicate(timeout=300)
    return printed, "".join(messages) + rest, process.returncode


@pytest.mark.slow
def test_the_demo_indexes_shows_three_commands_and_stops(tmp_path: Path) -> None:
    """A newcomer sees pictures indexed and three commands with true answers; Ctrl-C is no error."""
    printed, messages, code = run_until_introduced(tmp_path / "demo")

    assert "391 added, 0 updated, 0 unchanged, 0 failed" in messages
    assert re.search(r"curl -s -F image=@examples/queries/cat.jpg .*/v1/classify", printed)
    assert '"label": "cat"' in printed
    assert re.search(r"curl -s 'http://127\.0\.0\.1:\d+/v1/search\?q=", printed)
    assert "rank" in printed
    assert code == 0

    search = next(line for line in printed.splitlines() if " search " in line and "--k" in line)
    words = shlex.split(search)
    repeated = subprocess.run(
        [sys.executable, "-m", "cli.main", *words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert repeated.stdout.splitlines()[1].strip() in printed

    _, messages, code = run_until_introduced(tmp_path / "demo")
    assert "0 added, 0 updated, 391 unchanged, 0 failed" in messages
    assert code == 0
