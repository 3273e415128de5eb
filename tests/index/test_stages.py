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
