"""Rules of AdamW's parameter groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import nn

from core.errors import ConfigError, TrainingError
from tests.training.tiny import TinyDualEncoder
from tests.training.towers.families import FAMILIES, bert, clip_resnet, clip_vit, siglip
from training.checkpoint import optimiser_tensors
from training.optimiser import (
    OptimiserConfig,
    build_optimiser,
    is_decayed,
    learning_rate_scales,
    parameter_groups,
    set_learning_rate,
)
from training.towers.adapt import adapt_towers
from training.towers.config import TowerConfig, TowersConfig


def test_vectors_and_the_temperature_are_not_decayed() -> None:
    """Trap 9: matrices shrink; biases, norms and the logit scale do not."""
    groups = parameter_groups(TinyDualEncoder().named_parameters(), weight_decay=0.2)

    names = {group["weight_decay"]: group["param_names"] for group in groups}
    assert names == {
        0.2: ["image.weight", "text.weight"],
        0.0: ["logit_scale", "image.bias", "text.bias", "norm.weight", "norm.bias"],
    }


def test_the_groups_of_a_clip_model() -> None:
    """Position and class embeddings are not decayed though they have axes enough."""
    model = clip_vit()
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


@pytest.mark.parametrize("family", FAMILIES)
def test_open_clips_own_exceptions_are_not_decayed(family: str) -> None:
    """Trap 9: what a model of open_clip or timm lists as undecayed is among ours.

    And nothing else with axes enough is, but for position and token-type places.
    """
    model: Any = FAMILIES[family]()
    if family in {"bert", "lstm"}:
        model.text.no_weight_decay = set
    listed = set(model.no_weight_decay())
    of_trunk = getattr(getattr(model.visual, "trunk", None), "no_weight_decay", set)
    listed |= {f"visual.trunk.{name}" for name in of_trunk()}
    matrices = {name: value for name, value in model.named_parameters() if value.ndim >= 2}

    undecayed = {name for name, value in matrices.items() if not is_decayed(name, value)}

    assert listed & matrices.keys() <= undecayed
    assert all("pos" in name or "cls_token" in name or "reg_token" in name for name in undecayed)


def test_undecayed_names_of_the_other_families() -> None:
    """Trap 9: the pool of a ResNet, the positions of BERT, the bias of SigLIP."""
    undecayed = {
        name
        for model in (clip_resnet(), bert(), siglip())
        for name, value in model.named_parameters()
        if not is_decayed(name, value)
    }

    assert {
        "visual.attnpool.positional_embedding",
        "text.transformer.embeddings.position_embeddings.weight",
        "logit_bias",
        "visual.trunk.reg_token",
        "visual.trunk.pos_embed",
    } <= undecayed
    assert "text.transformer.embeddings.word_embeddings.weight" not in undecayed


def test_layers_learn_the_slower_the_deeper_they_lie() -> None:
    """Scale 0.1 and decay 0.5: projection 0.1, last block 0.05, first 0.025, stem 0.0125."""
    towers = TowersConfig(image=TowerConfig(learning_rate_scale=0.1, layer_decay=0.5))
    scales = learning_rate_scales(clip_vit(), towers)

    assert scales["visual.proj"] == pytest.approx(0.1)
    assert scales["visual.ln_post.weight"] == pytest.approx(0.05)
    assert scales["visual.transformer.resblocks.1.ln_1.weight"] == pytest.approx(0.05)
    assert scales["visual.transformer.resblocks.0.ln_1.weight"] == pytest.approx(0.025)
    assert scales["visual.conv1.weight"] == pytest.approx(0.0125)
    assert scales["visual.positional_embedding"] == pytest.approx(0.0125)
    assert {scales[name] for name in scales if not name.startswith("visual.")} == {1.0}


def test_without_a_projection_the_last_layer_has_the_full_rate() -> None:
    """A SigLIP image tower ends with its pooling, in the last of nine layers."""
    scales = learning_rate_scales(siglip(), TowersConfig(image=TowerConfig(layer_decay=0.5)))

    assert scales["visual.trunk.attn_pool.latent"] == 1.0
    assert scales["visual.trunk.pos_embed"] == 0.5**8


@pytest.mark.parametrize("family", FAMILIES)
def test_every_trainable_parameter_is_in_one_group(family: str) -> None:
    """Whatever the scales; names and parameters of a group run side by side."""
    model = FAMILIES[family]()
    towers = TowersConfig(
        image=TowerConfig(layer_decay=0.8), text=TowerConfig(mode="locked", unlocked_layers=1)
    )
    adapt_towers(model, towers, seed=0)
    optimiser = build_optimiser(model, OptimiserConfig(), towers)

    pairs = [
        (name, value)
        for group in optimiser.param_groups
        for name, value in zip(group["param_names"], group["params"], strict=True)
    ]
    wanted = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert len(pairs) == len(wanted)
    assert all(wanted[name] is value for name, value in pairs)


def test_each_group_learns_at_its_own_rate() -> None:
    """With AdamW's first step every weight moves by its rate: 0.01 times the scale."""
    model = clip_vit()
    towers = TowersConfig(
        image=TowerConfig(learning_rate_scale=0.5, layer_decay=0.5),
        text=TowerConfig(learning_rate_scale=2.0),
    )
    optimiser = build_optimiser(model, OptimiserConfig(weight_decay=0.0, eps=1e-12), towers)
    set_learning_rate(optimiser, 0.01)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)

    optimiser.step()

    moved = {
        name: (before[name] - value.detach()).abs().max().item()
        for name, value in model.named_parameters()
    }
    assert moved["logit_scale"] == pytest.approx(0.01, rel=1e-3)
    assert moved["text_projection"] == pytest.approx(0.02, rel=1e-3)
    assert moved["visual.proj"] == pytest.approx(0.005, rel=1e-3)
    assert moved["visual.class_embedding"] == pytest.approx(0.000625, rel=1e-3)


def test_the_rate_is_a_plain_float() -> None:
    """Trap 13: a NumPy scalar in a group could not be loaded without pickle."""
    optimiser = build_optimiser(TinyDualEncoder(), OptimiserConfig())
    set_learning_rate(optimiser, np.float64(0.5))

    assert {type(group["lr"]) for group in optimiser.param_groups} == {float}


def test_the_state_goes_by_names_that_layer_decay_does_not_change() -> None:
    """Trap 13: a checkpoint names parameters, so groups may be cut another way."""
    states = []
    for towers in (TowersConfig(), TowersConfig(image=TowerConfig(layer_decay=0.7))):
        model = clip_vit()
        optimiser = build_optimiser(model, OptimiserConfig(), towers)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        states.append(optimiser_tensors(optimiser))

    assert states[0].keys() == states[1].keys()


def test_a_rate_for_a_tower_that_cannot_be_told_is_refused() -> None:
    """It would have no effect."""
    with pytest.raises(ConfigError, match="no attribute that is its image tower"):
        learning_rate_scales(
            nn.Linear(2, 2), TowersConfig(image=TowerConfig(learning_rate_scale=0.1))
        )


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
