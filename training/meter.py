"""Rates and means of the steps since the last line of the log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from training.step import StepResult


class Meter:
    """Adds up steps until it is read: how long each took, how long it waited for its batch."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start the clock, which returns seconds."""
        self._clock = clock
        self._results: list[StepResult] = []
        self._samples = 0
        self._waited_s = self._stepped_s = 0.0
        self._started = self._mark = clock()

    def got_batch(self) -> None:
        """Mark the moment when the batch of the next step is there."""
        now = self._clock()
        self._waited_s += now - self._mark
        self._mark = now

    def finished(self, result: StepResult | None, samples: int) -> None:
        """Mark the end of a step (``None``: one that was passed over)."""
        now = self._clock()
        self._stepped_s += now - self._mark
        self._mark = now
        if result is not None:
            self._results.append(result)
            self._samples += samples

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what runs inside, an evaluation or a checkpoint: it is not training."""
        began = self._clock()
        try:
            yield
        finally:
            away_s = self._clock() - began
            self._started += away_s
            self._mark += away_s

    def shown(self) -> dict[str, str]:
        """Return what the progress bar shows: time of a step, and the share spent waiting."""
        elapsed_s = self._mark - self._started
        if not self._results or elapsed_s <= 0:
            return {}
        milliseconds = 1000 * self._stepped_s / len(self._results)
        return {"step": f"{milliseconds:.0f}ms", "data": f"{self._waited_s / elapsed_s:.0%}"}

    def read(self) -> dict[str, float]:
        """Return the means and rates since the last read, and start again.

        Rates: ``samples_per_s``, ``step_s`` (seconds of one step without the wait) and
        ``data_wait`` (the part of the time in which the model waited for a batch). Means:
        ``loss`` in nats and ``grad_norm``, over the steps with a finite one. Newest values: the
        temperature as ``logit_scale`` (exponentiated), as ``log_scale`` (the parameter itself)
        and as ``at_clamp`` (0 or 1), and ``logit_bias`` where there is one. ``skipped_steps``
        counts the steps that float16 made impossible, where there are any.
        """
        elapsed_s = max(self._mark - self._started, 1e-9)
        values = {
            "samples_per_s": self._samples / elapsed_s,
            "data_wait": self._waited_s / elapsed_s,
        }
        if self._results:
            values["step_s"] = self._stepped_s / len(self._results)
            values |= _measured(self._results)
        self._results.clear()
        self._samples, self._waited_s, self._stepped_s = 0, 0.0, 0.0
        self._started = self._mark = self._clock()
        return values


def _measured(results: list[StepResult]) -> dict[str, float]:
    newest = results[-1]
    values = {
        "logit_scale": newest.logit_scale,
        "log_scale": newest.log_scale,
        "at_clamp": float(newest.at_clamp),
    }
    if newest.logit_bias is not None:
        values["logit_bias"] = newest.logit_bias
    means = {
        "loss": [result.loss for result in results],
        "grad_norm": [result.grad_norm for result in results],
    }
    for name, numbers in means.items():
        # The gradient of a skipped float16 step is infinite, which strict JSON cannot hold.
        finite = [number for number in numbers if math.isfinite(number)]
        if finite:
            values[name] = sum(finite) / len(finite)
    skipped = sum(result.skipped for result in results)
    if skipped:
        values["skipped_steps"] = float(skipped)
    return values
