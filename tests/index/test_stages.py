"""Rules of telling which stage bounds the speed."""

from __future__ import annotations

import pytest

from index.stages import StageClock


def test_the_slowest_stage_is_the_one_with_the_most_seconds() -> None:
    """Nothing before anything was done; an error inside a stage still counts its time."""
    clock = StageClock()
    assert clock.slowest is None

    with clock.stage("disk"), pytest.raises(ValueError, match="x"), clock.stage("model"):
        raise ValueError("x")

    assert clock.seconds["disk"] > clock.seconds["model"] > clock.seconds["decoding"] == 0
    assert clock.slowest == "disk"
    clock.seconds["decoding"] = 10.0
    assert clock.slowest == "decoding"


def test_people_read_how_busy_the_model_is() -> None:
    """The share of the time of the thread that runs it; nothing before anything was done."""
    clock = StageClock()
    assert clock.bound == ""

    clock.seconds.update(decoding=1.0, model=3.0)
    assert clock.bound == "model (75% busy)"
    clock.seconds.update(disk=4.0)
    assert clock.bound == "disk (model 38% busy)"
