"""Rules of patch dropout."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from core.errors import ConfigError
from tests.training.towers.families import clip_resnet, clip_vit, pictures, siglip, timm_vit
from training.towers.adapt import adapt_towers
from training.towers.config import TowerConfig, TowersConfig
from training.towers.dual_encoder import DualEncoder
from training.towers.patch_dropout import PatchDropout

HALF = TowersConfig(image=TowerConfig(patch_dropout=0.5))
TRANSFORMERS = [clip_vit, timm_vit, siglip]


def numbered(batch: int = 4, count: int = 9) -> torch.Tensor:
    """Return tokens that hold their own number, the first being the class token 0."""
    return torch.arange(count).float().expand(batch, count)[..., None].clone()


def test_the_class_token_and_half_of_the_patches_stay() -> None:
    """Of eight patches four stay, each once, in every picture others."""
    torch.manual_seed(0)
    kept = PatchDropout(0.5, prefix_tokens=1)(numbered())[..., 0].int().tolist()

    assert [row[0] for row in kept] == [0, 0, 0, 0]
    assert all(len(set(row[1:])) == 4 and set(row[1:]) <= set(range(1, 9)) for row in kept)
    assert len({tuple(sorted(row)) for row in kept}) > 1


def test_each_patch_stays_equally_often() -> None:
    """Over 4,000 pictures each of eight patches stays in half of them, within 5 percent."""
    torch.manual_seed(0)
    kept = PatchDropout(0.5, prefix_tokens=1)(numbered(4000))[:, 1:, 0].int().flatten()
    counts = torch.bincount(kept, minlength=9)[1:]

    assert counts.sum() == 16_000
    assert (counts - 2000).abs().max() < 100


def test_one_patch_always_stays() -> None:
    """A high rate over few patches leaves one, and no prefix is no special case."""
    assert PatchDropout(0.9, prefix_tokens=0)(numbered(2, 4)).shape == (2, 1, 1)


def test_evaluation_sees_all_patches() -> None:
    """The tokens are returned untouched."""
    tokens = numbered()

    assert PatchDropout(0.5, prefix_tokens=1).eval()(tokens) is tokens


@pytest.mark.parametrize("build", TRANSFORMERS)
def test_two_passes_under_one_seed_drop_the_same_patches(
    build: Callable[[], DualEncoder],
) -> None:
    """Trap 3: GradCache replays a chunk by seeding torch again; the next pass drops others."""
    model = build()
    adapt_towers(model, HALF, seed=0)
    model.train()
    embeddings = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        embeddings.append(model.encode_image(pictures(model)))

    first, again, other = embeddings
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("build", TRANSFORMERS)
def test_the_blocks_see_fewer_tokens_in_training_alone(
    build: Callable[[], DualEncoder],
) -> None:
    """Half of the patches and all prefix tokens; in evaluation the model is the one without it."""
    plain, model = build(), build()
    adapt_towers(model, HALF, seed=0)
    tower = model.visual if hasattr(model.visual, "transformer") else model.visual.trunk
    block = tower.transformer.resblocks[0] if hasattr(tower, "transformer") else tower.blocks[0]
    lengths: list[int] = []
    block.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))

    model.train()
    model.encode_image(pictures(model))
    model.eval()
    evaluated = model.encode_image(pictures(model))

    prefix = getattr(tower, "num_prefix_tokens", 1)
    assert lengths[0] - prefix == (lengths[1] - prefix) // 2
    assert torch.equal(evaluated, plain.eval().encode_image(pictures(plain)))
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_a_tower_without_patches_is_refused() -> None:
    """The message names the kind of tower."""
    with pytest.raises(ConfigError, match="the image tower is a ModifiedResNet"):
        adapt_towers(clip_resnet(), HALF, seed=0)
