"""Weights of several models of one architecture, combined tensor by tensor.

The temperature is a parameter like every other: its *logarithm* is what models hold and what is
averaged. Whole numbers cannot be averaged: counters are taken from the first model, everything else
must agree.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.errors import ConflictError
from training.ranges import check_range

Weights = Mapping[str, Tensor]
"""Parameters and buffers by name, as in ``state_dict``."""

_COUNTERS = ("num_batches_tracked",)
_STATISTICS = ("running_mean", "running_var")


def interpolated(base: Weights, tuned: Weights, alpha: float) -> dict[str, Tensor]:
    """Return (1 - alpha) * base + alpha * tuned, computed in float64; 0 and 1 are the inputs.

    Raises:
        ConfigError: ``alpha`` is not between 0 and 1.
        ConflictError: whole numbers differ that are no counters.

    Source: WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903, equation 1.
    """
    check_range("alpha", alpha, low=0, high=1)
    if alpha in (0.0, 1.0):
        return {name: value.clone() for name, value in (tuned if alpha else base).items()}
    mixed: dict[str, Tensor] = {}
    for name, value in base.items():
        if value.is_floating_point():
            blend = (1 - alpha) * value.double() + alpha * tuned[name].double()
            mixed[name] = blend.to(value.dtype)
        else:
            mixed[name] = _agreed(name, value, tuned[name])
    return mixed


class Average:
    """The running mean of weights, summed in float64, so that their order hardly matters."""

    def __init__(self) -> None:
        """Start empty."""
        self._first: dict[str, Tensor] = {}
        self._sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, weights: Weights) -> None:
        """Take one more model into the mean.

        Raises:
            ConflictError: whole numbers differ that are no counters.
        """
        if not self.count:
            self._first = {name: value.clone() for name, value in weights.items()}
            self._sums = {
                name: value.double()
                for name, value in self._first.items()
                if value.is_floating_point()
            }
        else:
            self._check(weights)
            for name, total in self._sums.items():
                total.add_(weights[name])
        self.count += 1

    def mean(self, extra: Weights | None = None) -> dict[str, Tensor]:
        """Return the mean of what was added, and of ``extra`` without adding it.

        Raises:
            ConflictError: whole numbers of ``extra`` differ that are no counters.
        """
        if extra is None:
            return self._divided(self._sums, self.count)
        if not self.count:
            return {name: value.clone() for name, value in extra.items()}
        self._check(extra)
        sums = {name: total + extra[name].double() for name, total in self._sums.items()}
        return self._divided(sums, self.count + 1)

    def _divided(self, sums: Weights, count: int) -> dict[str, Tensor]:
        return {
            name: (sums[name] / count).to(value.dtype) if name in sums else value.clone()
            for name, value in self._first.items()
        }

    def _check(self, weights: Weights) -> None:
        for name, value in self._first.items():
            if name not in self._sums:
                _agreed(name, value, weights[name])


def moved_statistics(first: Weights, other: Weights) -> list[str]:
    """Return the running statistics of batch norm that two models do not share.

    A mean of variances is not the variance of what the merged weights make, so a merged model with
    such statistics should be measured before it is used.
    """
    return [
        name
        for name, value in first.items()
        if name.rpartition(".")[2] in _STATISTICS and not torch.equal(value, other[name])
    ]


def _agreed(name: str, value: Tensor, other: Tensor) -> Tensor:
    """Return a whole-number buffer that both models share."""
    if name.rpartition(".")[2] not in _COUNTERS and not torch.equal(value, other):
        raise ConflictError(
            f"the whole numbers of {name} differ between the models and cannot be averaged; "
            "merge models of one architecture"
        )
    return value.clone()
