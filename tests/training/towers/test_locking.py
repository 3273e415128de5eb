"""Rules of locked towers."""

from __future__ import annotations

import copy

import pytest
import torch

from core.errors import ConfigError
from tests.training.towers.families import (
    FAMILIES,
    bert,
    captions,
    clip_resnet,
    clip_vit,
    pictures,
    siglip,
    state_of,
    step,
)
from training.towers.adapt import adapt_towers
from training.towers.batch_norm import has_batch_norm
from training.towers.config import TowerConfig, TowersConfig
from training.towers.dual_encoder import DualEncoder
from training.towers.parts import tower_parts

LOCKED = TowerConfig(mode="locked")


def lock(model: DualEncoder, **towers: TowerConfig) -> None:
    """Apply tower settings with a fixed seed."""
    adapt_towers(model, TowersConfig(**towers), seed=0)


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Return the names whose bytes differ."""
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("tower", ["image", "text"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_locked_tower_stays_byte_identical(family: str, tower: str) -> None:
    """Trap 4: after training steps, its weights and batch-norm statistics are what they were."""
    model = FAMILIES[family]()
    lock(model, **{tower: LOCKED})
    before = state_of(model)

    step(model)
    step(model)

    locked = tower_parts(model).towers[tower]
    moved = changed(before, state_of(model))
    prefix = "visual." if tower == "image" else "text."
    assert moved
    assert moved.isdisjoint(locked.parameters)
    assert not any(name.startswith(prefix) for name in moved)
    assert "logit_scale" in moved


def test_an_unlocked_tower_moves_its_batch_norm() -> None:
    """The control of the rule above: the same steps move the statistics of a free tower."""
    model = clip_resnet()
    before = state_of(model)

    step(model)

    assert "visual.bn1.running_mean" in changed(before, state_of(model))


def test_train_does_not_wake_a_locked_tower() -> None:
    """Trap 4: dropout stays off and statistics stay still after every model.train()."""
    model = bert()
    lock(model, text=LOCKED)
    model.train()
    model.train()

    first, second = model.encode_text(captions()), model.encode_text(captions())

    assert torch.equal(first, second)
    assert model.training
    assert not any(module.training for module in model.text.modules())
    assert all(block.training for block in model.visual.transformer.resblocks)


def test_dropout_of_a_free_tower_is_on() -> None:
    """The control: without a lock two passes differ."""
    model = bert()
    model.train()

    assert not torch.equal(model.encode_text(captions()), model.encode_text(captions()))


def test_a_copy_of_a_locked_model_is_locked_by_itself() -> None:
    """A deep copy must not put the original to sleep, nor stay awake."""
    model = bert()
    lock(model, text=LOCKED)
    twin = copy.deepcopy(model)
    twin.train()

    assert not twin.text.transformer.training
    assert twin.text.train.__self__ is twin.text


def test_a_locked_batch_norm_counts_as_frozen() -> None:
    """GradCache asks whether any batch norm still counts."""
    model = clip_resnet()
    lock(model, image=LOCKED)

    assert not has_batch_norm(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layers_stay_open(family: str) -> None:
    """With two layers unlocked, those and the projection train, the others do not."""
    model = FAMILIES[family]()
    lock(model, image=TowerConfig(mode="locked", unlocked_layers=2))
    tower = tower_parts(model).towers["image"]

    trained = {name for name, value in tower.parameters.items() if value.requires_grad}

    assert trained == {*tower.layers[-1], *tower.layers[-2], *tower.projection}


def test_a_resnet_can_be_locked_in_part() -> None:
    """Trap 21: open_clip refuses this; locked bottlenecks keep their statistics, open ones move."""
    model = clip_resnet()
    lock(model, image=TowerConfig(mode="locked", unlocked_layers=1))
    before = state_of(model)

    step(model)

    moved = {name for name in changed(before, state_of(model)) if name.startswith("visual.")}
    assert "visual.layer4.0.bn1.running_mean" in moved
    assert all(name.startswith(("visual.layer4.0.", "visual.attnpool.")) for name in moved)


@pytest.mark.parametrize("family", ["clip_vit", "clip_resnet", "timm_vit", "timm_mobilenet"])
def test_the_projection_trains_if_asked(family: str) -> None:
    """Trap 21: it is one setting for all towers, not a habit of each."""
    for wanted in (True, False):
        model = FAMILIES[family]()
        lock(model, image=TowerConfig(mode="locked", train_projection=wanted))
        tower = tower_parts(model).towers["image"]

        trained = {name for name, value in tower.parameters.items() if value.requires_grad}
        assert trained == (set(tower.projection) if wanted else set())


def test_patches_are_not_dropped_under_a_trained_projection() -> None:
    """Below it all is locked, patch dropout of the architecture included."""
    model = clip_vit(patch_dropout=0.5)
    lock(model, image=TowerConfig(mode="locked", train_projection=True))
    model.train()

    assert torch.equal(
        model.encode_image(pictures(model)),
        model.encode_image(pictures(model)),
    )


def test_more_unlocked_layers_than_there_are_is_refused() -> None:
    """The message says how many there are."""
    with pytest.raises(ConfigError, match=r"image\.unlocked_layers = 4: the tower has 3 layers"):
        lock(clip_vit(), image=TowerConfig(mode="locked", unlocked_layers=4))


def test_a_projection_that_is_not_there_cannot_train() -> None:
    """A SigLIP image tower ends with its pooling."""
    with pytest.raises(ConfigError, match="ends without a projection"):
        lock(siglip(), image=TowerConfig(mode="locked", train_projection=True))


def test_what_never_trained_stays_so() -> None:
    """A fixed sine embedding is not unlocked with its layer."""
    model = clip_vit(pos_embed_type="sin_cos_2d")
    lock(model, image=TowerConfig(mode="locked", unlocked_layers=3))

    assert not model.visual.positional_embedding.requires_grad
    assert model.visual.conv1.weight.requires_grad


def test_the_default_changes_nothing() -> None:
    """A model without visual tower passes, because nothing is asked of it."""
    model = torch.nn.Linear(2, 2)
    adapt_towers(model, TowersConfig(), seed=0)

    assert all(value.requires_grad for value in model.parameters())
