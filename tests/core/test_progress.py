"""Rules of core.progress."""

from __future__ import annotations

import pytest

from core.progress import silent


def test_silent_progress_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Libraries work without a display."""
    with silent("title", total=3, unit="images") as progress:
        progress.advance(2, loss=0.5)

    assert tuple(capfd.readouterr()) == ("", "")
