"""Which weights of a run are the best so far, by its held-out pairs."""

from __future__ import annotations

from dataclasses import replace

import torch

from training.config import RunConfig
from training.data.heldout import chosen_value, evaluate
from training.early_stopping import Best, after_evaluation, is_over
from training.run_values import RunData
from training.state import TrainingState
from training.towers.forward import TwoTowers


class Judge:
    """Measures weights on held-out pairs and remembers, in the state, which were best."""

    def __init__(self, data: RunData, config: RunConfig, *, device: torch.device) -> None:
        """Without held-out pairs nothing is measured, and the newest weights count as the best.

        Raises:
            ConfigError: weights are to be chosen by labels that the held-out pairs do not have.
        """
        self._heldout, self._labels = data.heldout, data.labels
        self._config, self._device = config, device
        if config.best_metric == "zero_shot_accuracy" and data.labels is None:
            chosen_value({}, config.best_metric)

    @property
    def has_pairs(self) -> bool:
        """Return whether there is anything to judge by."""
        return self._heldout is not None

    def measure(self, towers: TwoTowers) -> dict[str, float]:
        """Return the metrics of the weights as they are."""
        assert self._heldout is not None, "asked before"
        return evaluate(
            towers,
            self._heldout,
            batch_size=self._config.evaluate_batch,
            device=self._device,
            labels=self._labels,
        )

    def judged(self, state: TrainingState, metrics: dict[str, float]) -> TrainingState:
        """Return the state after an evaluation; its ``best_step`` is now if it is the best."""
        best = after_evaluation(
            _best_of(state),
            step=state.step,
            value=chosen_value(metrics, self._config.best_metric),
            config=self._config.early_stopping,
        )
        is_best = best.step == state.step
        return replace(
            state,
            best_step=best.step,
            best_value=best.value,
            best_metrics=metrics if is_best else state.best_metrics,
            evaluations_since_best=best.waited,
        )

    def is_over(self, state: TrainingState) -> bool:
        """Return whether the run has waited long enough for a better evaluation."""
        return is_over(_best_of(state), self._config.early_stopping)

    def shown(self, state: TrainingState) -> dict[str, str]:
        """Return what the progress bar shows of the best evaluation."""
        if state.best_step < 0:
            return {}
        return {self._config.best_metric: f"{state.best_value:.3f}"}


def _best_of(state: TrainingState) -> Best:
    return Best(state.best_step, state.best_value, state.evaluations_since_best)
