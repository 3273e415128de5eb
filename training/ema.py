"""The exponential moving average of a model's weights, to judge and to export."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from core.errors import ConflictError, TrainingError
from training.sharding import part_of


class Ema:
    """Averages what training changes: trained parameters and float buffers; the rest is copied.

    Early averages forget faster, min(decay, (1 + t) / (10 + t)) after t steps, so that the random
    start does not linger.

    Source: Polyak and Juditsky 1992; the warm-up is that of TensorFlow's
    ``ExponentialMovingAverage``.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start with the weights as they are; ``decay`` is per step, 0.999 keeps about 1,000."""
        self._model, self._decay = model, decay
        self._is_applied = False
        self._average = _clones(_averaged(model))
        self._copied = _clones(_copied(model))

    def decay_at(self, step: int) -> float:
        """Return how much of the average stays in the update after this many steps."""
        return min(self._decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the weights after optimiser step number ``step``.

        Raises:
            TrainingError: the average is in the model at this moment.
        """
        if self._is_applied:
            raise TrainingError("the average is in the model: update it after the evaluation")
        live = self._live()
        if self._average:
            torch._foreach_lerp_(
                list(self._average.values()),
                [live[name] for name in self._average],
                1 - self.decay_at(step),
            )
        _copy(self._copied, live)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model, and the weights back afterwards, bit for bit.

        Raises:
            TrainingError: it is there already.
        """
        if self._is_applied:
            raise TrainingError("the average is in the model already")
        live = self._live()
        kept = _clones(live)
        _copy(live, self.state_dict())
        self._is_applied = True
        try:
            yield
        finally:
            _copy(self._live(), kept)
            self._is_applied = False

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average by the names of the model; the number of steps is the run's."""
        return {**self._average, **self._copied}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on with a stored average.

        Raises:
            ConflictError: it is of another model, or of other trained weights.
        """
        own = self.state_dict()
        for name in sorted(own.keys() | state.keys()):
            found = tuple(state[name].shape) if name in state else "none"
            wanted = tuple(own[name].shape) if name in own else "none"
            if found != wanted:
                raise ConflictError(
                    f"the stored average has shape {found} for {name}, this model {wanted}; "
                    "use the recipe of that run"
                )
        _copy(own, {name: part_of(state[name], like=value) for name, value in own.items()})

    def _live(self) -> dict[str, Tensor]:
        """Return the model's own tensors, looked up anew: moving a model replaces them."""
        tensors: dict[str, Tensor] = dict(self._model.named_parameters())
        tensors |= dict(self._model.named_buffers())
        return {name: tensors[name].detach() for name in self.state_dict()}


def _averaged(model: nn.Module) -> dict[str, Tensor]:
    trained = {
        name: value.detach() for name, value in model.named_parameters() if value.requires_grad
    }
    return trained | {
        name: value for name, value in _buffers(model).items() if value.is_floating_point()
    }


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in _buffers(model).items() if not value.is_floating_point()}


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that are saved; the others are constants such as attention masks."""
    saved = model.state_dict().keys()
    return {name: value for name, value in model.named_buffers() if name in saved}


def _clones(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}


@torch.no_grad()
def _copy(targets: Mapping[str, Tensor], sources: Mapping[str, Tensor]) -> None:
    for name, target in targets.items():
        target.copy_(sources[name])
