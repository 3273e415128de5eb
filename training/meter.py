"""Rates and means of the steps since the last line of the log."""

from __future__ import annotations

import time

from training.step import StepResult


class Meter:
    """Adds up steps until it is read."""

    def __init__(self) -> None:
        """Start the clock."""
        self._results: list[StepResult] = []
        self._samples = 0
        self._waited_s = 0.0
        self._started = self._mark = time.perf_counter()

    def got_batch(self) -> None:
        """Mark the moment when the batch of the next step is there."""
        now = time.perf_counter()
        self._waited_s += now - self._mark
        self._mark = now

    def finished(self, result: StepResult | None, samples: int) -> None:
        """Mark the end of a step (``None``: one that was passed over)."""
        self._mark = time.perf_counter()
        if result is not None:
            self._results.append(result)
            self._samples += samples

    def read(self) -> dict[str, float]:
        """Return the means and rates since the last read, and start again.

        ``loss`` in nats, ``logit_scale`` exponentiated, ``samples_per_s``, and ``data_wait``: the
        part of the time in which the model waited for a batch.
        """
        elapsed_s = max(self._mark - self._started, 1e-9)
        values = {
            "samples_per_s": self._samples / elapsed_s,
            "data_wait": self._waited_s / elapsed_s,
        }
        if self._results:
            count = len(self._results)
            values["loss"] = sum(result.loss for result in self._results) / count
            values["grad_norm"] = sum(result.grad_norm for result in self._results) / count
            values["logit_scale"] = self._results[-1].logit_scale
        self._results.clear()
        self._samples, self._waited_s = 0, 0.0
        self._started = self._mark = time.perf_counter()
        return values
