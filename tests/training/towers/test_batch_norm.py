"""Rules of training.towers.batch_norm: frozen means frozen."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from training.towers.batch_norm import freeze_batch_norm, has_batch_norm


@pytest.fixture
def tower() -> nn.Sequential:
    """Two convolutions with batch norm, one of them timm's with an activation inside."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), timm.layers.BatchNormAct2d(4)
    )


def test_trap_4_statistics_stay_byte_identical_after_train(tower: nn.Sequential) -> None:
    """``model.train()`` at the start of each epoch does not set them moving again."""
    freeze_batch_norm(tower)
    before = copy.deepcopy(tower.state_dict())

    tower.train()(torch.randn(8, 3, 9, 9))

    assert all(torch.equal(before[name], value) for name, value in tower.state_dict().items())
    assert tower.training
    assert not tower[1].training


def test_statistics_move_where_nothing_is_frozen(tower: nn.Sequential) -> None:
    """The test above could fail: the same pass changes a tower that is not frozen."""
    before = tower[1].running_mean.clone()

    tower.train()(torch.randn(8, 3, 9, 9))

    assert not torch.equal(before, tower[1].running_mean)


def test_a_frozen_tower_computes_what_evaluation_does(tower: nn.Sequential) -> None:
    """In both modes: the running statistics normalise, and timm's activation still runs."""
    pixels = torch.randn(4, 3, 9, 9)
    expected = tower.eval()(pixels)

    freeze_batch_norm(tower)

    assert torch.equal(tower.train()(pixels), expected)
    assert bool((tower(pixels) >= 0).all())


def test_weight_and_bias_learn_unless_they_are_frozen_too(tower: nn.Sequential) -> None:
    """Statistics alone by default; ``affine`` stops the rest."""
    assert freeze_batch_norm(tower) == 2
    assert tower[1].weight.requires_grad

    assert freeze_batch_norm(tower, affine=True) == 2
    assert not tower[1].weight.requires_grad
    assert tower[0].weight.requires_grad


def test_the_state_keeps_its_names(tower: nn.Sequential) -> None:
    """A checkpoint of a frozen tower is one of the tower."""
    before = list(tower.state_dict())

    freeze_batch_norm(tower)

    assert list(tower.state_dict()) == before


def test_a_copy_of_a_frozen_tower_is_frozen(tower: nn.Sequential) -> None:
    """The moving average of weights copies the model."""
    freeze_batch_norm(tower)

    copied = copy.deepcopy(tower).train()

    assert not has_batch_norm(copied)
    assert not copied[1].training


def test_moving_batch_norm_is_found(tower: nn.Sequential) -> None:
    """Until it is frozen; a tower without any has none."""
    assert has_batch_norm(tower)
    assert not has_batch_norm(nn.Linear(2, 2))

    freeze_batch_norm(tower)

    assert not has_batch_norm(tower)
