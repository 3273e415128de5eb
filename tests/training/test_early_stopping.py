"""Rules of early stopping."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.errors import ConfigError
from training.early_stopping import Best, EarlyStoppingConfig, after_evaluation, best_of, is_over

PATIENT = EarlyStoppingConfig(patience=2, min_improvement=0.1)


def test_the_first_evaluation_is_the_best() -> None:
    """Also where it is zero."""
    assert after_evaluation(Best(), step=5, value=0.0, config=PATIENT) == Best(5, 0.0, 0)


def test_patience_counts_evaluations_without_improvement() -> None:
    """Two evaluations below the best end the run, one does not."""
    assert not is_over(best_of([(1, 0.5), (2, 0.4)], PATIENT), PATIENT)
    assert is_over(best_of([(1, 0.5), (2, 0.4), (3, 0.3)], PATIENT), PATIENT)
    assert not is_over(best_of([(1, 0.5), (2, 0.4), (3, 0.7)], PATIENT), PATIENT)


def test_a_small_gain_is_kept_but_does_not_count() -> None:
    """0.55 is the best weights, but below the least gain of 0.1, so the run goes on waiting."""
    best = best_of([(1, 0.5), (2, 0.55), (3, 0.58)], PATIENT)

    assert best == Best(step=3, value=0.58, waited=2)
    assert is_over(best, PATIENT)


def test_of_equal_values_the_first_stays() -> None:
    """The same value again is no improvement, even where none is asked for."""
    config = EarlyStoppingConfig(patience=3)

    assert best_of([(1, 0.5), (2, 0.5)], config) == Best(1, 0.5, 1)


def test_not_a_number_is_no_improvement() -> None:
    """The best stays, and the run waits."""
    assert best_of([(1, 0.5), (2, math.nan)], PATIENT) == Best(1, 0.5, 1)


def test_without_patience_no_run_ends_early() -> None:
    """0 is off, however long nothing improves."""
    config = EarlyStoppingConfig()

    assert not is_over(best_of([(step, -step) for step in range(100)], config), config)


def test_a_resumed_run_waits_as_the_uninterrupted_one() -> None:
    """Going on from the three numbers of a checkpoint gives what the whole history gives."""
    rng = np.random.default_rng(0)
    history = [(step, float(value)) for step, value in enumerate(rng.random(30))]
    for cut in range(30):
        best = best_of(history[:cut], PATIENT)
        restored = Best(best.step, best.value, best.waited)
        for step, value in history[cut:]:
            restored = after_evaluation(restored, step=step, value=value, config=PATIENT)
        assert restored == best_of(history, PATIENT)


@pytest.mark.parametrize("name", ["patience", "min_improvement"])
def test_negative_settings_are_refused(name: str) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match=f"run.early_stopping.{name} = -1"):
        EarlyStoppingConfig(**{name: -1})
