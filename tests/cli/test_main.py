"""Rules of the command line as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from tests.cli.runs import Run

ROOT = Path(__file__).parent.parent.parent


def sightline(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_examples(run: Run, name: str) -> None:
    """``--help`` of each command works, shows examples and exits with 0."""
    code, out, err = run(name, "--help")

    assert code == 0, err
    assert "Examples:\n" in out
    assert "\\b" not in out


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    """The overview is quick: no model, no index, no server is imported for it."""
    script = (
        "import sys\nfrom cli.main import command\n"
        "command.main(['--help'], standalone_mode=False)\n"
        "print([n for n in ('faiss', 'openvino', 'fastapi', 'torch') if n in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert all(name in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit code 2, and the message names the command."""
    done = sightline("serach")

    assert done.returncode == 2
    assert "serach" in done.stderr
    assert done.stdout == ""


def test_a_failure_is_one_line_on_stderr(tmp_path: Path) -> None:
    """An expected error shows no traceback and exits with 1 (2 for usage)."""
    done = sightline("search", "cat", "--gallery", "missing", cwd=tmp_path)

    assert done.returncode in {1, 2}
    assert done.stderr.startswith("sightline: ")
    assert "Traceback" not in done.stderr
