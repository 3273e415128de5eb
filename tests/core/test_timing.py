"""Rules of core.timing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.timing import RECORDER, timed


class Kept:
    """Keeps the stages that it is told of."""

    def __init__(self) -> None:
        """Start empty."""
        self.stages: list[tuple[str, float, float]] = []

    def stage_done(self, stage: str, begun_s: float, took_s: float) -> None:
        """Keep one."""
        self.stages.append((stage, begun_s, took_s))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Return a recorder that is told of the stages of this test."""
    recorder = Kept()
    token = RECORDER.set(recorder)
    yield recorder
    RECORDER.reset(token)


def test_a_stage_inside_another_is_told_first(kept: Kept) -> None:
    """Each with its begin; the outer one began before the inner and took at least as long."""
    with timed("outer"), timed("inner"):
        pass

    (inner, inner_begun, inner_took), (outer, outer_begun, outer_took) = kept.stages
    assert (inner, outer) == ("inner", "outer")
    assert outer_begun <= inner_begun
    assert outer_took >= inner_took >= 0


def test_a_stage_that_fails_is_told_too(kept: Kept) -> None:
    """The error goes on, and how long it took to fail is known."""
    with pytest.raises(ValueError, match="bad"), timed("scan"):
        raise ValueError("bad")

    assert [stage for stage, _, _ in kept.stages] == ["scan"]


def test_without_a_recorder_nothing_happens() -> None:
    """The block runs, and nobody is told."""
    done = []
    with timed("scan"):
        done.append(1)

    assert done == [1]
