"""Rules of the sigmoid loss: a hand-made value, open_clip's SigLipLoss, several positives."""

from __future__ import annotations

import math

import pytest
import torch
from open_clip.loss import SigLipLoss

from tests.training.losses.naive import backward, random_case, sigmoid_loss
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.world import World

TILES = [1, 5, 12, 13, 100]


def test_two_orthogonal_pairs_have_the_loss_worked_out_by_hand() -> None:
    """Logits 10 on the diagonal and -10 beside it after the bias: each costs ln(1 + e^-10)."""
    loss = ContrastiveLoss(LossConfig(kind="sigmoid"), World.single())

    value = loss(torch.eye(2), torch.eye(2), torch.tensor(20.0), logit_bias=torch.tensor(-10.0))

    assert value.item() == pytest.approx(2 * math.log1p(math.exp(-10)))


@pytest.mark.parametrize("tile_rows", TILES)
def test_it_equals_the_loss_of_open_clip(tile_rows: int) -> None:
    """With distinct pairs, value and all gradients are those of open_clip's SigLipLoss."""
    ours, theirs = random_case(13), random_case(13)
    config = LossConfig(kind="sigmoid", tile_rows=tile_rows)

    value = backward(
        ContrastiveLoss(config, World.single())(
            ours.image_ND, ours.text_ND, ours.scale, logit_bias=ours.bias
        )
    )

    expected = backward(SigLipLoss()(*theirs.unit(), theirs.scale, theirs.bias))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


@pytest.mark.parametrize("tile_rows", TILES)
def test_it_equals_the_definition_with_several_positives(tile_rows: int) -> None:
    """Trap 11: every pair of a shared picture or caption has the label +1."""
    ours, theirs = random_case(13), random_case(13)
    groups_NG = torch.randint(0, 6, (13, 2), generator=torch.Generator().manual_seed(1))
    config = LossConfig(kind="sigmoid", tile_rows=tile_rows)

    value = backward(
        ContrastiveLoss(config, World.single())(
            ours.image_ND, ours.text_ND, ours.scale, logit_bias=ours.bias, groups_BG=groups_NG
        )
    )

    torch.testing.assert_close(value, backward(sigmoid_loss(theirs, groups_NG=groups_NG)))
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


def test_it_needs_a_bias() -> None:
    """Without one most pairs would start as taken for positives; nothing is put in its place."""
    case = random_case(4)
    loss = ContrastiveLoss(LossConfig(kind="sigmoid"), World.single())

    with pytest.raises(ValueError, match="needs logit_bias"):
        loss(case.image_ND, case.text_ND, case.scale)
