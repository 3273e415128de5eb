"""Rules of AdamW's parameter groups."""

from __future__ import annotations

import open_clip
import pytest
import torch
from torch import nn

from core.errors import ConfigError, TrainingError
from tests.fixtures_models import TINY_VIT
from tests.training.tiny import TinyDualEncoder
from training.open_clip_model import ModelConfig, build_model
from training.optimiser import (
    OptimiserConfig,
    build_optimiser,
    is_decayed,
    parameter_groups,
    set_learning_rate,
)


def test_vectors_and_the_temperature_are_not_decayed() -> None:
    """Matrices shrink; biases, norms and the logit scale do not."""
    groups = parameter_groups(TinyDualEncoder().named_parameters(), weight_decay=0.2)

    names = {group["weight_decay"]: group["param_names"] for group in groups}
    assert names == {
        0.2: ["image.weight", "text.weight"],
        0.0: ["logit_scale", "image.bias", "text.bias", "norm.weight", "norm.bias"],
    }


def test_the_groups_of_a_clip_model() -> None:
    """Position and class embeddings are not decayed though they have axes enough."""
    model = build_model(ModelConfig(architecture=TINY_VIT), seed=0).model
    decayed = {name for name, value in model.named_parameters() if is_decayed(name, value)}

    undecayed = {name for name, _ in model.named_parameters()} - decayed
    assert {
        "positional_embedding",
        "visual.positional_embedding",
        "visual.class_embedding",
        "logit_scale",
        "ln_final.weight",
        "visual.transformer.resblocks.0.attn.in_proj_bias",
    } <= undecayed
    assert {
        "token_embedding.weight",
        "text_projection",
        "visual.proj",
        "visual.conv1.weight",
        "visual.transformer.resblocks.0.attn.in_proj_weight",
    } <= decayed
    assert isinstance(model, open_clip.CLIP)


def test_frozen_parameters_are_left_out() -> None:
    """A locked tower has no place in the optimiser."""
    model = TinyDualEncoder()
    model.image.requires_grad_(requires_grad=False)

    optimiser = build_optimiser(model, OptimiserConfig())

    names = [name for group in optimiser.param_groups for name in group["param_names"]]
    assert "image.weight" not in names
    assert "text.weight" in names


def test_a_model_without_trainable_parameters_is_refused() -> None:
    """There would be nothing to do."""
    model = nn.Linear(2, 2).requires_grad_(requires_grad=False)

    with pytest.raises(TrainingError, match="no trainable parameter"):
        build_optimiser(model, OptimiserConfig())


def test_a_decayed_step_by_hand() -> None:
    """With a zero gradient only the decay moves a matrix: w (1 - lr * decay)."""
    model = TinyDualEncoder()
    before = model.image.weight.detach().clone()
    bias = model.image.bias.detach().clone()
    optimiser = build_optimiser(model, OptimiserConfig(weight_decay=0.5))
    set_learning_rate(optimiser, 0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)

    optimiser.step()

    torch.testing.assert_close(model.image.weight.detach(), before * 0.95)
    assert torch.equal(model.image.bias.detach(), bias)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("eps", 0.0),
        ("weight_decay", -1.0),
        ("max_grad_norm", -1.0),
    ],
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match=f"optimiser.{name}"):
        OptimiserConfig(**{name: value})
