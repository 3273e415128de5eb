"""Rules of gradient checkpointing."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.errors import ConfigError
from tests.training.towers.families import (
    bert,
    captions,
    clip_resnet,
    clip_vit,
    lstm,
    pictures,
    siglip,
    timm_convnext,
    timm_mobilenet,
    timm_vit,
)
from training.towers.adapt import adapt_towers
from training.towers.config import TowerConfig, TowersConfig
from training.towers.dual_encoder import DualEncoder

ON = TowerConfig(gradient_checkpointing=True)
FROZEN_NORM = TowerConfig(gradient_checkpointing=True, freeze_batch_norm=True)


def custom_blocks() -> DualEncoder:
    """Return a transformer of open_clip's custom blocks, which its own switch cannot run."""
    return clip_vit(qk_norm=True)


def gradients(model: DualEncoder) -> dict[str, Tensor]:
    """Return the gradients of both towers after one pass under a fixed seed."""
    model.train()
    torch.manual_seed(4)
    embeddings = (model.encode_image(pictures(model)), model.encode_text(captions()))
    torch.stack([value.square().sum() for value in embeddings]).sum().backward()
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize(
    ("build", "towers"),
    [
        (clip_vit, TowersConfig(image=ON, text=ON)),
        (custom_blocks, TowersConfig(image=ON)),
        (clip_resnet, TowersConfig(image=FROZEN_NORM)),
        (timm_vit, TowersConfig(image=ON)),
        (timm_convnext, TowersConfig(image=ON)),
        (timm_mobilenet, TowersConfig(image=FROZEN_NORM)),
        (siglip, TowersConfig(image=ON, text=ON)),
        (bert, TowersConfig(image=ON, text=ON)),
    ],
)
def test_gradients_are_those_without_it(
    build: Callable[[], DualEncoder], towers: TowersConfig
) -> None:
    """To the bit, the dropout of BERT included: its random numbers are drawn again."""
    model = build()
    plain = TowersConfig(
        image=TowerConfig(freeze_batch_norm=towers.image.freeze_batch_norm), text=TowerConfig()
    )
    adapt_towers(model, plain, seed=0)
    twin = copy.deepcopy(model)
    adapt_towers(twin, towers, seed=0)

    wanted, found = gradients(model), gradients(twin)

    assert wanted.keys() == found.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize(
    ("build", "tower"), [(clip_vit, "image"), (clip_resnet, "image"), (bert, "text")]
)
def test_the_inside_of_a_block_is_computed_twice(
    build: Callable[[], DualEncoder], tower: str
) -> None:
    """Once forward and once backward; in evaluation and without gradients once."""
    model = build()
    adapt_towers(model, TowersConfig(**{tower: FROZEN_NORM}), seed=0)
    calls: list[int] = []
    norm = _first_norm_of_a_block(model, tower)
    norm.register_forward_hook(lambda *_: calls.append(1))
    model.train()

    embedding = _encode(model, tower)
    assert len(calls) == 1
    embedding.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    assert len(calls) == 2
    model.eval()
    _encode(model, tower)
    assert len(calls) == 3


def test_timm_repeats_its_blocks_too() -> None:
    """It has a switch of its own, and it is on."""
    model = timm_vit()
    adapt_towers(model, TowersConfig(image=ON), seed=0)

    assert model.visual.trunk.grad_checkpointing


@pytest.mark.parametrize(
    ("build", "towers", "message"),
    [
        (lstm, TowersConfig(text=ON), "LstmText repeats no blocks"),
        (clip_resnet, TowersConfig(image=ON), "would count the statistics of batch norm twice"),
        (timm_mobilenet, TowersConfig(image=ON), "would count the statistics of batch norm twice"),
    ],
)
def test_a_tower_that_cannot_is_refused(
    build: Callable[[], DualEncoder], towers: TowersConfig, message: str
) -> None:
    """The message says which tower and what to do."""
    with pytest.raises(ConfigError, match=message):
        adapt_towers(build(), towers, seed=0)


def test_a_timm_network_without_the_switch_is_refused() -> None:
    """open_clip would only log a line and go on without."""

    class Trunk(nn.Module):
        def set_grad_checkpointing(self, enable: bool = True) -> None:  # noqa: FBT001, FBT002 - timm's
            raise AssertionError("gradient checkpointing not supported")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = nn.Module()
            self.visual.trunk = Trunk()

    with pytest.raises(ConfigError, match=r"Trunk cannot do it \(gradient checkpointing not"):
        adapt_towers(Model(), TowersConfig(image=ON), seed=0)


def _encode(model: DualEncoder, tower: str) -> Tensor:
    return (
        model.encode_image(pictures(model)) if tower == "image" else model.encode_text(captions())
    )


def _first_norm_of_a_block(model: DualEncoder, tower: str) -> nn.Module:
    from training.towers.parts import tower_parts

    kinds = (nn.LayerNorm, nn.BatchNorm2d)
    block = tower_parts(model).towers[tower].blocks[0]
    return next(module for module in block.modules() if isinstance(module, kinds))
