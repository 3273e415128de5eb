"""Rules of one optimiser step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.errors import NonFiniteLossError
from tests.training.tiny import TinyDualEncoder, tensor_data
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.losses.temperature import MAX_LOG_SCALE
from training.meter import Meter
from training.optimiser import OptimiserConfig, build_optimiser
from training.step import StepConfig, Stepper, StepResult
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers
from training.world import World


class ExplodingGradient(torch.autograd.Function):
    """The identity with an infinite gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """Return the value."""
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return infinity."""
        return torch.full_like(gradients[0], math.inf)


def stepper(model: TinyDualEncoder, *, max_grad_norm: float = 0.0) -> Stepper:
    """Return a stepper on the CPU in float32."""
    return Stepper(
        TwoTowers(as_dual_encoder(model)),
        ContrastiveLoss(LossConfig(), World.single()),
        build_optimiser(model, OptimiserConfig(weight_decay=0.0)),
        device=torch.device("cpu"),
        config=StepConfig(max_grad_norm=max_grad_norm),
        world=World.single(),
    )


def test_dropout_depends_on_the_step_alone() -> None:
    """Trap 3: what was drawn before does not matter; another step drops other features."""
    batch = tensor_data(8).batch(np.arange(8), epoch=0)
    losses = []
    for draws, number in ((0, 5), (7, 5), (0, 6)):
        model = TinyDualEncoder()
        torch.rand(draws)
        losses.append(stepper(model).step(batch, number=number, learning_rate=0.0).loss)

    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_an_infinite_gradient_stops_before_the_update() -> None:
    """A finite loss with an infinite gradient would ruin every weight."""
    model = TinyDualEncoder()
    encode = model.encode_text
    model.encode_text = lambda text: ExplodingGradient.apply(encode(text))  # type: ignore[method-assign, no-untyped-call]  # a broken tower
    before = {name: value.clone() for name, value in model.named_parameters()}
    batch = tensor_data(8).batch(np.arange(8), epoch=0)

    with pytest.raises(NonFiniteLossError, match=r"gradient norm of step 3 is (inf|nan)"):
        stepper(model).step(batch, number=3, learning_rate=0.1)

    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_the_temperature_is_clamped_after_the_step() -> None:
    """Trap 9: a step that would raise the scale beyond 100 leaves it at 100."""
    model = TinyDualEncoder()
    model.logit_scale.data.fill_(MAX_LOG_SCALE)
    batch = tensor_data(8).batch(np.arange(8), epoch=0)
    ours = stepper(model)

    results = [ours.step(batch, number=number, learning_rate=0.5) for number in range(5)]

    assert max(result.logit_scale for result in results) <= 100.0001
    assert 0.0 <= model.logit_scale.item() <= MAX_LOG_SCALE


def test_the_norm_is_that_before_clipping() -> None:
    """The log shows the true size of the gradient; clipping changes the update, not the number."""
    batch = tensor_data(8).batch(np.arange(8), epoch=0)

    free = stepper(TinyDualEncoder()).step(batch, number=0, learning_rate=0.0)
    clipped = stepper(TinyDualEncoder(), max_grad_norm=1e-3).step(
        batch, number=0, learning_rate=0.0
    )

    assert free.grad_norm == clipped.grad_norm > 1e-3


def step_result(loss: float) -> StepResult:
    """Return a result whose other numbers follow from the loss."""
    return StepResult(
        loss=loss,
        logit_scale=loss * 10,
        grad_norm=2 * loss,
        log_scale=math.log(loss * 10),
        at_clamp=False,
    )


def test_the_meter_adds_up_and_starts_again() -> None:
    """Means over the steps since the last read; a skipped step has no loss."""
    meter = Meter()
    for loss in (1.0, 3.0):
        meter.got_batch()
        meter.finished(step_result(loss), 8)
    meter.got_batch()
    meter.finished(None, 1)

    first, second = meter.read(), meter.read()

    assert (first["loss"], first["grad_norm"], first["logit_scale"]) == (2.0, 4.0, 30.0)
    assert first["samples_per_s"] > 0
    assert 0 <= first["data_wait"] <= 1
    assert set(second) == {"samples_per_s", "data_wait"}
