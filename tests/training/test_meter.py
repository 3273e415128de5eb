"""Rules of rates and means, on a clock that the test moves."""

from __future__ import annotations

import math

import pytest

from training.meter import Meter
from training.step import StepResult


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        """Start at a time that is not zero."""
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def result(*, loss: float = 1.0, grad_norm: float = 2.0, **fields: float) -> StepResult:
    """Return a step's figures at a temperature of 10."""
    return StepResult(
        loss=loss,
        grad_norm=grad_norm,
        logit_scale=10.0,
        log_scale=math.log(10.0),
        at_clamp=bool(fields.pop("at_clamp", False)),
        skipped=bool(fields.pop("skipped", False)),
        **fields,
    )


def fail_after(seconds: float, clock: Clock) -> None:
    """Let time pass, then fail."""
    clock.now += seconds
    raise KeyError


def take(meter: Meter, clock: Clock, *, wait: float, compute: float, **fields: float) -> None:
    """Make one step of eight samples."""
    clock.now += wait
    meter.got_batch()
    clock.now += compute
    meter.finished(result(**fields), 8)


def test_rates_worked_out_by_hand() -> None:
    """Two steps of 16 samples in 4 s, of which 1 s of waiting: 4 samples/s, 1.5 s, a quarter."""
    clock = Clock()
    meter = Meter(clock)
    take(meter, clock, wait=0.25, compute=1.0, loss=1.0, grad_norm=3.0)
    take(meter, clock, wait=0.75, compute=2.0, loss=2.0, grad_norm=5.0)

    assert meter.read() == pytest.approx(
        {
            "samples_per_s": 4.0,
            "data_wait": 0.25,
            "step_s": 1.5,
            "loss": 1.5,
            "grad_norm": 4.0,
            "logit_scale": 10.0,
            "log_scale": 2.302585,
            "at_clamp": 0.0,
        }
    )


def test_reading_starts_again() -> None:
    """The second line holds the second step alone."""
    clock = Clock()
    meter = Meter(clock)
    take(meter, clock, wait=1.0, compute=1.0, loss=1.0)
    meter.read()
    take(meter, clock, wait=0.0, compute=2.0, loss=7.0)

    values = meter.read()
    assert (values["loss"], values["samples_per_s"], values["data_wait"]) == (7.0, 4.0, 0.0)


def test_an_evaluation_is_neither_training_nor_waiting() -> None:
    """A pause of an hour changes no figure."""
    clock = Clock()
    meter = Meter(clock)
    take(meter, clock, wait=1.0, compute=1.0)
    with meter.paused():
        clock.now += 3600.0
    take(meter, clock, wait=1.0, compute=1.0)

    values = meter.read()
    assert (values["samples_per_s"], values["data_wait"], values["step_s"]) == (4.0, 0.5, 1.0)


def test_a_pause_that_fails_is_left_out_too() -> None:
    """The clock goes on from where it was."""
    clock = Clock()
    meter = Meter(clock)
    with pytest.raises(KeyError), meter.paused():
        fail_after(50.0, clock)
    take(meter, clock, wait=0.0, compute=1.0)

    assert meter.read()["samples_per_s"] == 8.0


def test_skipped_steps_are_counted_and_leave_the_means_finite() -> None:
    """An infinite gradient of float16 is no number of the log."""
    clock = Clock()
    meter = Meter(clock)
    take(meter, clock, wait=0.0, compute=1.0, grad_norm=4.0)
    take(meter, clock, wait=0.0, compute=1.0, grad_norm=math.inf, skipped=True)

    values = meter.read()
    assert (values["grad_norm"], values["skipped_steps"]) == (4.0, 1.0)
    assert all(map(math.isfinite, values.values()))


def test_nothing_but_skipped_steps_has_no_gradient() -> None:
    """There is no mean to give."""
    clock = Clock()
    meter = Meter(clock)
    take(meter, clock, wait=0.0, compute=1.0, grad_norm=math.nan, skipped=True)

    assert "grad_norm" not in meter.read()


def test_the_bias_and_the_clamp_are_the_newest() -> None:
    """Values of the model are those after the last step."""
    clock = Clock()
    meter = Meter(clock)
    take(meter, clock, wait=0.0, compute=1.0, logit_bias=-10.0)
    take(meter, clock, wait=0.0, compute=1.0, logit_bias=-9.5, at_clamp=True)

    values = meter.read()
    assert (values["logit_bias"], values["at_clamp"]) == (-9.5, 1.0)


def test_a_step_that_was_passed_over_has_no_figures() -> None:
    """Its time passes, its samples do not count."""
    clock = Clock()
    meter = Meter(clock)
    meter.got_batch()
    clock.now += 1.0
    meter.finished(None, 1)

    assert meter.read() == {"samples_per_s": 0.0, "data_wait": 0.0}


def test_the_bar_shows_computing_against_waiting() -> None:
    """Half a second a step, and a fifth of the time for data; nothing before the first step."""
    clock = Clock()
    meter = Meter(clock)
    assert meter.shown() == {}
    take(meter, clock, wait=0.125, compute=0.5)

    assert meter.shown() == {"step": "500ms", "data": "20%"}
