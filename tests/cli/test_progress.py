"""Rules of cli.progress."""

from __future__ import annotations

import pytest

from cli.progress import terminal_progress
from core.progress import LineProgress


def test_away_from_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A log gets whole lines: how many of how many, the rate, and the latest fields."""
    progress = terminal_progress("indexing", total=4, unit="images")
    with progress:
        progress.advance(3, failed=1)

    assert isinstance(progress, LineProgress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("indexing: 3/4 images, ")
    assert captured.err.endswith("failed 1\n")


def test_work_done_before_does_not_count_for_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed piece of work starts at its old count with a rate of zero."""
    with terminal_progress("training", total=10, unit="steps", initial=5):
        pass

    assert capsys.readouterr().err == "training: 5/10 steps, 0.0 steps/s\n"
