"""Rules of the learning rate."""

from __future__ import annotations

import pytest

from core.errors import ConfigError
from training.schedule import ScheduleConfig, learning_rate_at, total_steps


def test_warm_up_then_cosine() -> None:
    """Two of ten steps climb to the peak, eight fall along a half cosine."""
    config = ScheduleConfig(warmup_fraction=0.2)

    rates = [learning_rate_at(step, peak=1.0, horizon=10, config=config) for step in range(11)]

    # 0.5 (1 + cos(pi i / 8)) for i = 0..8
    expected = [0.5, 1.0, 1.0, 0.961940, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.038060, 0.0]
    assert rates == pytest.approx(expected, abs=1e-6)


def test_the_last_rate_is_a_fraction_of_the_peak() -> None:
    """With final_fraction 0.1 the cosine ends at a tenth and is half way in the middle."""
    config = ScheduleConfig(warmup_fraction=0.0, final_fraction=0.1)

    rates = [learning_rate_at(step, peak=2.0, horizon=4, config=config) for step in (0, 2, 4, 9)]

    assert rates == pytest.approx([2.0, 1.1, 0.2, 0.2])


def test_a_run_of_one_step_uses_the_peak() -> None:
    """The warm-up of one step is the peak itself."""
    assert learning_rate_at(0, peak=3.0, horizon=1, config=ScheduleConfig()) == 3.0


def test_max_steps_shortens_but_never_lengthens() -> None:
    """The horizon is the smaller of the two limits."""
    assert total_steps(ScheduleConfig(epochs=4), steps_per_epoch=5) == 20
    assert total_steps(ScheduleConfig(epochs=4, max_steps=7), steps_per_epoch=5) == 7
    assert total_steps(ScheduleConfig(epochs=4, max_steps=70), steps_per_epoch=5) == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("max_steps", -1), ("warmup_fraction", 1.0), ("final_fraction", 1.5)],
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    """The message names the setting and the value."""
    with pytest.raises(ConfigError, match=f"schedule.{name} = {value:g}"):
        ScheduleConfig(**{name: value})  # type: ignore[arg-type]  # one value for several fields
