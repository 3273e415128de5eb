"""One optimiser step: gradients of the batch, checks, update.

# B = pairs of the batch on this rank
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from core.errors import NonFiniteLossError
from training.backward import Backward, Chunking, LossFunction
from training.data.batches import Batch
from training.distributed import sum_gradients
from training.losses.config import LossKind
from training.losses.temperature import clamp_temperature, is_at_clamp
from training.optimiser import set_learning_rate
from training.randomness import derived_seed
from training.sharding import clip_gradients
from training.towers.forward import TwoTowers
from training.world import World

TrainingPrecision = Literal["float32", "bfloat16", "float16"]

_NAMED_IN_MESSAGE = 8
_LEAST_GRADIENT_SCALE = 1.0
"""float16 gradients that overflow even unscaled are a diverged run, not a scale to be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepConfig:
    """How a step is computed; none of it changes what is computed but for rounding."""

    precision: TrainingPrecision = "float32"
    """Of the towers; weights and loss are always float32."""
    chunking: Chunking = field(default_factory=Chunking)
    """How much of a batch is in memory at once."""
    max_grad_norm: float = 1.0
    """L2 norm of all gradients above which they are scaled down; 0 switches it off."""
    loss_kind: LossKind = "softmax"
    """Decides the clamp of the temperature."""
    seed: int = 0
    """Of dropout and whatever else draws inside the towers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step measured."""

    loss: float
    """Of the whole batch, in nats, before the update; ln(batch size) is what chance reaches."""
    grad_norm: float
    """L2 norm of all gradients before clipping; 0 for a step that was skipped."""
    logit_scale: float
    """Inverse temperature after the update, exponentiated."""
    log_scale: float
    """The learned parameter itself: the logarithm of ``logit_scale``."""
    at_clamp: bool
    """Whether the temperature stands at a limit of its clamp."""
    logit_bias: float | None = None
    """After the update; ``None`` where the model has none."""
    skipped: bool = False
    """Whether float16 gradients overflowed, so that no update was made and the scale halved."""


class Stepper:
    """Makes optimiser steps with one model."""

    def __init__(
        self,
        towers: TwoTowers,
        loss: LossFunction,
        optimiser: torch.optim.Optimizer,
        *,
        device: torch.device,
        config: StepConfig,
        world: World,
    ) -> None:
        """Keep what every step needs."""
        self._towers, self._model, self._optimiser = towers, towers.model, optimiser
        self._device, self._config, self._world = device, config, world
        self._backward = Backward(
            towers, loss, device=device, autocast=self._autocast, chunking=config.chunking
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")

    def step(
        self, batch: Batch, *, number: int, learning_rate: float, image_size: int | None = None
    ) -> StepResult:
        """Update the model with this rank's part of a batch, its pictures at ``image_size``.

        Raises:
            NonFiniteLossError: loss or gradient is NaN or infinite; the weights are as before.
        """
        set_learning_rate(self._optimiser, learning_rate)
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._world.sum(self._gradients(batch, number, image_size)).item()
        sum_gradients(self._towers.parameters(), self._world)
        self.scaler.unscale_(self._optimiser)
        grad_norm = clip_gradients(self._towers.parameters(), self._config.max_grad_norm)
        skipped = self._update(grad_norm, number, batch)
        clamp_temperature(self._model.logit_scale, self._config.loss_kind)
        return self._result(loss, grad_norm, skipped=skipped)

    def _gradients(self, batch: Batch, number: int, image_size: int | None) -> Tensor:
        first_chunk = self._world.rank * self._backward.num_chunks(len(batch))

        def seed(chunk: int) -> int:
            # The chunks of all ranks are counted through: two ranks draw what one would draw.
            return derived_seed("dropout", self._config.seed, number, first_chunk + chunk)

        def before(loss: Tensor) -> Tensor:
            self._check_finite("loss", self._world.sum(loss).item(), number, batch)
            scaled: Tensor = self.scaler.scale(loss)
            return scaled

        return self._backward(batch, seed=seed, before=before, image_size=image_size)

    def _update(self, grad_norm: float, number: int, batch: Batch) -> bool:
        """Move the weights; return whether float16 made that impossible this time."""
        scale = self.scaler.get_scale()
        if not self.scaler.is_enabled() or scale <= _LEAST_GRADIENT_SCALE:
            self._check_finite("gradient norm", grad_norm, number, batch)
        self.scaler.step(self._optimiser)
        self.scaler.update()
        return not math.isfinite(grad_norm)

    def _result(self, loss: float, grad_norm: float, *, skipped: bool) -> StepResult:
        log_scale = self._model.logit_scale
        bias = getattr(self._model, "logit_bias", None)
        return StepResult(
            loss=loss,
            grad_norm=0.0 if skipped else grad_norm,
            logit_scale=math.exp(log_scale.item()),
            log_scale=log_scale.item(),
            at_clamp=is_at_clamp(log_scale, self._config.loss_kind),
            logit_bias=bias.item() if bias is not None else None,
            skipped=skipped,
        )

    def _check_finite(self, what: str, value: float, number: int, batch: Batch) -> None:
        if math.isfinite(value):
            return
        names = ", ".join(batch.ids[:_NAMED_IN_MESSAGE])
        more = len(batch) - _NAMED_IN_MESSAGE
        raise NonFiniteLossError(
            f"the {what} of step {number} is {value}; no update was made. "
            f"Samples: {names}{f' and {more} more' if more > 0 else ''}. "
            "Lower optimiser.learning_rate or look at these samples, then go on with --resume"
        )

    def _autocast(self) -> AbstractContextManager[object]:
        if self._config.precision == "float32":
            return nullcontext()
        dtype = torch.bfloat16 if self._config.precision == "bfloat16" else torch.float16
        return torch.autocast(self._device.type, dtype=dtype)
