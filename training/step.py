"""One optimiser step: towers, loss, checks, update.

# B = pairs of the batch, D = embedding dim
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import NonFiniteLossError
from training.batches import Batch
from training.dual_encoder import DualEncoder
from training.loss import clamp_temperature, clip_loss
from training.optimiser import set_learning_rate
from training.randomness import derived_seed

_NAMED_IN_MESSAGE = 8


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step measured."""

    loss: float
    """Of the batch, in nats, before the update; ln(batch size) is what chance reaches."""
    logit_scale: float
    """Inverse temperature after the update, exponentiated."""
    grad_norm: float
    """L2 norm of all gradients before clipping."""


class Stepper:
    """Makes optimiser steps with one model."""

    def __init__(
        self,
        model: DualEncoder,
        optimiser: torch.optim.Optimizer,
        *,
        device: torch.device,
        seed: int,
        max_grad_norm: float,
        autocast: bool,
    ) -> None:
        """Keep what every step needs; ``autocast`` runs the towers in bfloat16."""
        self._model, self._optimiser = model, optimiser
        self._device, self._seed = device, seed
        self._max_grad_norm = max_grad_norm
        self._autocast = autocast

    def step(self, batch: Batch, *, number: int, learning_rate: float) -> StepResult:
        """Update the model with one batch.

        Raises:
            NonFiniteLossError: loss or gradient is NaN or infinite; the weights are as before.
        """
        # Dropout draws from torch's generator: seeding it here makes it a function of the step.
        torch.manual_seed(derived_seed("dropout", self._seed, number))
        set_learning_rate(self._optimiser, learning_rate)
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss(batch.to(self._device))
        loss_value = loss.item()
        self._check_finite("loss", loss_value, number, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        grad_norm = self._clip()
        self._check_finite("gradient norm", grad_norm, number, batch)
        self._optimiser.step()
        clamp_temperature(self._model.logit_scale)
        return StepResult(loss_value, math.exp(self._model.logit_scale.item()), grad_norm)

    def _loss(self, batch: Batch) -> Tensor:
        autocast = (
            torch.autocast(self._device.type, dtype=torch.bfloat16)
            if self._autocast
            else contextlib.nullcontext()
        )
        with autocast:
            image_BD = self._model.encode_image(batch.images)
            text_BD = self._model.encode_text(batch.texts)
        return clip_loss(
            nn.functional.normalize(image_BD.float(), dim=-1),
            nn.functional.normalize(text_BD.float(), dim=-1),
            self._model.logit_scale.exp(),
            groups_BG=batch.groups,
        )

    def _clip(self) -> float:
        limit = self._max_grad_norm or math.inf
        return float(nn.utils.clip_grad_norm_(self._model.parameters(), limit))

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
