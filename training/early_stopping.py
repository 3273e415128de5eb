"""Whether a run goes on: how long ago the best evaluation was.

A pure function of the history of evaluations. Its state is three numbers, which a checkpoint holds,
so that a resumed run stops where the uninterrupted one would have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from training.ranges import check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStoppingConfig:
    """When a run gives up."""

    patience: int = 0
    """Evaluations in a row without improvement after which the run ends; 0 never ends it early."""
    min_improvement: float = 0.0
    """Least gain over the best value so far, in units of the metric, that counts as improvement.
    Weights with a smaller gain are still kept as the best."""

    def __post_init__(self) -> None:
        """Refuse negative numbers."""
        check_range("run.early_stopping.patience", self.patience, low=0)
        check_range("run.early_stopping.min_improvement", self.min_improvement, low=0)


@dataclass(frozen=True, slots=True)
class Best:
    """The best evaluation so far; of two equal ones the first."""

    step: int = -1
    """Its step; -1 before the first evaluation."""
    value: float = 0.0
    """Its value, higher is better."""
    waited: int = 0
    """Evaluations since the last improvement."""


def after_evaluation(best: Best, *, step: int, value: float, config: EarlyStoppingConfig) -> Best:
    """Return the best after one more evaluation; it was the best if ``step`` is its step.

    NaN is never better than a number. The rule of two limits, one for what is kept and one for
    what counts as improvement, is that of scikit-learn's ``tol`` and ``n_iter_no_change``.
    """
    if best.step < 0:
        return Best(step, value)
    waited = 0 if value > best.value + config.min_improvement else best.waited + 1
    if value > best.value:
        return Best(step, value, waited)
    return Best(best.step, best.value, waited)


def is_over(best: Best, config: EarlyStoppingConfig) -> bool:
    """Return whether the run has waited long enough."""
    return 0 < config.patience <= best.waited


def best_of(history: Iterable[tuple[int, float]], config: EarlyStoppingConfig) -> Best:
    """Return the best of evaluations (step, value), given in their order."""
    best = Best()
    for step, value in history:
        best = after_evaluation(best, step=step, value=value, config=config)
    return best
