"""Rules of the softmax loss: hand-made values, open_clip's ClipLoss, torch's cross-entropy."""

from __future__ import annotations

import math

import pytest
import torch
from open_clip import ClipLoss
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.training.losses.naive import backward, random_case, softmax_loss
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.world import World

TILES = [1, 5, 12, 13, 100]
"""Of 13 pairs: rows of one, not dividing, one row left, exactly all, more than there are."""


def loss_of(images: Tensor, texts: Tensor, scale: float, groups_NG: Tensor | None = None) -> float:
    """Return the loss of embeddings at an inverse temperature."""
    loss = ContrastiveLoss(LossConfig(tile_rows=2), World.single())
    return loss(images, texts, torch.tensor(scale), groups_BG=groups_NG).item()


def test_two_orthogonal_pairs_have_the_loss_worked_out_by_hand() -> None:
    """Logits 1 for the pair and 0 for the other: ln(1 + 1/e) = 0.313262."""
    assert loss_of(torch.eye(2), torch.eye(2), 1.0) == pytest.approx(0.313262, abs=1e-6)


def test_equal_embeddings_have_the_loss_of_chance() -> None:
    """Where nothing can be told apart the loss is ln(N)."""
    same = torch.ones(5, 1)

    assert loss_of(same, same, 14.0) == pytest.approx(math.log(5))


@pytest.mark.parametrize("tile_rows", TILES)
def test_it_equals_the_loss_of_open_clip(tile_rows: int) -> None:
    """With distinct pairs, value and all gradients are those of open_clip's ClipLoss."""
    ours, theirs = random_case(13), random_case(13)

    value = backward(
        ContrastiveLoss(LossConfig(tile_rows=tile_rows), World.single())(
            ours.image_ND, ours.text_ND, ours.scale
        )
    )

    expected = backward(ClipLoss()(*theirs.unit(), theirs.scale))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("tile_rows", TILES)
def test_it_equals_the_definition_with_several_positives(tile_rows: int, smoothing: float) -> None:
    """Trap 11: targets are uniform over the pairs that share a picture or a caption."""
    ours, theirs = random_case(13), random_case(13)
    groups_NG = torch.randint(0, 6, (13, 2), generator=torch.Generator().manual_seed(1))
    config = LossConfig(tile_rows=tile_rows, label_smoothing=smoothing)

    value = backward(
        ContrastiveLoss(config, World.single())(
            ours.image_ND, ours.text_ND, ours.scale, groups_BG=groups_NG
        )
    )

    expected = backward(softmax_loss(theirs, groups_NG=groups_NG, smoothing=smoothing))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


def test_equal_captions_do_not_push_each_other_away() -> None:
    """Trap 11: two pairs of one caption have no loss between them when they coincide."""
    image_ND = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    groups_NG = torch.tensor([[0, 7], [1, 7], [2, 8]])

    assert loss_of(image_ND, image_ND, 50.0, groups_NG) == pytest.approx(2 / 3 * math.log(2))
    far_ND = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    # Each of the two pairs is pulled to both: half of its target has a logit 100 below its own.
    assert loss_of(far_ND, far_ND, 50.0, groups_NG) == pytest.approx(2 / 3 * 50)
    assert loss_of(far_ND, far_ND, 50.0) == pytest.approx(0.0, abs=1e-6)


def test_positives_can_be_a_pair_s_own_alone() -> None:
    """With ``positives = own`` shared identities change nothing, as in CLIP."""
    case = random_case(6)
    config = LossConfig(positives="own")
    groups_NG = torch.zeros(6, 1, dtype=torch.int64)
    loss = ContrastiveLoss(config, World.single())

    value = loss(case.image_ND, case.text_ND, case.scale, groups_BG=groups_NG)

    assert torch.equal(value, loss(case.image_ND, case.text_ND, case.scale))


@pytest.mark.parametrize("tile_rows", TILES)
def test_label_smoothing_is_torch_s(tile_rows: int) -> None:
    """Value and gradients of cross_entropy(label_smoothing=0.2) in both directions."""
    ours, theirs = random_case(13), random_case(13)
    config = LossConfig(label_smoothing=0.2, tile_rows=tile_rows)

    value = backward(
        ContrastiveLoss(config, World.single())(ours.image_ND, ours.text_ND, ours.scale)
    )

    image_ND, text_ND = theirs.unit()
    logits_NN, own_N = theirs.scale * image_ND @ text_ND.T, torch.arange(13)
    by_row = cross_entropy(logits_NN, own_N, label_smoothing=0.2)
    by_column = cross_entropy(logits_NN.T, own_N, label_smoothing=0.2)
    torch.testing.assert_close(value, backward((by_row + by_column) / 2))
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


def test_a_small_loss_keeps_its_digits() -> None:
    """At scale 100 logits near 100 cancel; 1e-6 nats must not drown in them."""
    texts_ND = torch.tensor([[1.0, 0.0], [0.86, (1 - 0.86**2) ** 0.5]])
    expected = math.log1p(math.exp(-14.0))

    assert loss_of(texts_ND, texts_ND, 100.0) == pytest.approx(expected, rel=1e-2)


def test_a_bias_has_no_effect() -> None:
    """The same number added to every logit changes no softmax, and gets no gradient."""
    case = random_case(6)
    loss = ContrastiveLoss(LossConfig(), World.single())

    value = loss(case.image_ND, case.text_ND, case.scale, logit_bias=case.bias)
    backward(value)

    assert torch.equal(value, loss(case.image_ND, case.text_ND, case.scale))
    assert case.bias.grad is None
