"""Rules of the hints of a run."""

from __future__ import annotations

import logging

import pytest

from training.hints import Hints


def test_waiting_for_data_is_said_once_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From the third line on, when the mean wait is above a fifth."""
    hints = Hints()
    lines = [hints.look({"data_wait": 0.4}, step=step) for step in range(5)]

    assert [len(line) for line in lines] == [0, 0, 1, 0, 0]
    assert "waits for pictures during 40% of the time" in lines[2][0]
    assert "data.workers" in lines[2][0]
    assert "data.cache" in lines[2][0]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_one_slow_line_is_no_habit() -> None:
    """The first line fills the workers: a mean of a fifth and below is fine."""
    hints = Hints()
    waits = [0.4, 0.05, 0.05, 0.1, 0.1]
    said = [hints.look({"data_wait": wait}, step=step) for step, wait in enumerate(waits)]

    assert said == [[]] * 5


def test_a_wait_that_begins_late_is_seen() -> None:
    """The last three lines count, not the whole run."""
    hints = Hints()
    waits = [0.0] * 50 + [0.5, 0.5]

    said = [hints.look({"data_wait": wait}, step=step) for step, wait in enumerate(waits)]

    assert [len(lines) for lines in said[-2:]] == [0, 1]


def test_the_clamp_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Trap 28: the message names the value."""
    hints = Hints()
    values = {"at_clamp": 1.0, "logit_scale": 100.0}

    assert hints.look({"at_clamp": 0.0, "logit_scale": 99.0}, step=1) == []
    assert "logit_scale = 100" in hints.look(values, step=2)[0]
    assert hints.look(values, step=3) == []
    assert len(caplog.records) == 1
