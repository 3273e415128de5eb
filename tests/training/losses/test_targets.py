"""Rules of distillation: the softmax of a teacher as targets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from open_clip import DistillClipLoss

from tests.training.losses.naive import backward, random_case
from training.data.batches import TeacherEmbeddings
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.world import World

TEACHER_SCALE = 30.0


def teacher(count: int) -> TeacherEmbeddings:
    """Return a teacher whose embeddings have another dimension than the student's."""
    image_NT, text_NT = random_case(count, 9, seed=5).unit()
    return TeacherEmbeddings(image_NT.detach(), text_NT.detach(), TEACHER_SCALE)


@pytest.mark.parametrize("tile_rows", [1, 5, 13])
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_it_equals_the_loss_of_open_clip(weight: float, tile_rows: int) -> None:
    """Contrastive term plus weight times distillation term of open_clip's DistillClipLoss."""
    ours, theirs, guide = random_case(13), random_case(13), teacher(13)
    config = LossConfig(distillation_weight=weight, tile_rows=tile_rows)

    value = backward(
        ContrastiveLoss(config, World.single())(
            ours.image_ND, ours.text_ND, ours.scale, teacher=guide
        )
    )

    contrastive, distance = DistillClipLoss()(
        *theirs.unit(), theirs.scale, guide.image_BT, guide.text_BT, TEACHER_SCALE
    )
    torch.testing.assert_close(value, backward(contrastive + weight * distance))
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


def test_the_sigmoid_loss_takes_the_same_distance() -> None:
    """To the sigmoid loss the distance between softmaxes is added; the bias cancels in it."""
    ours, theirs, guide = random_case(13), random_case(13), teacher(13)
    plain = LossConfig(kind="sigmoid", tile_rows=5)
    config = LossConfig(kind="sigmoid", tile_rows=5, distillation_weight=0.5)

    value = backward(
        ContrastiveLoss(config, World.single())(
            ours.image_ND, ours.text_ND, ours.scale, logit_bias=ours.bias, teacher=guide
        )
    )

    alone = ContrastiveLoss(plain, World.single())(
        theirs.image_ND, theirs.text_ND, theirs.scale, logit_bias=theirs.bias
    )
    _, distance = DistillClipLoss()(
        *theirs.unit(), theirs.scale, guide.image_BT, guide.text_BT, TEACHER_SCALE
    )
    torch.testing.assert_close(value, backward(alone + 0.5 * distance))
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


def test_the_scale_of_the_teacher_can_be_set() -> None:
    """``distillation_scale`` stands in place of the teacher's own."""
    case, guide = random_case(6), teacher(6)
    other = TeacherEmbeddings(guide.image_BT, guide.text_BT, 7.0)
    fixed = LossConfig(distillation_weight=1.0, distillation_scale=7.0)

    value = ContrastiveLoss(fixed, World.single())(
        case.image_ND, case.text_ND, case.scale, teacher=guide
    )

    own = ContrastiveLoss(LossConfig(distillation_weight=1.0), World.single())
    assert torch.equal(value, own(case.image_ND, case.text_ND, case.scale, teacher=other))


def test_a_missing_teacher_is_refused() -> None:
    """Distillation that silently does nothing would look like a bad teacher."""
    case = random_case(4)
    loss = ContrastiveLoss(LossConfig(distillation_weight=1.0), World.single())

    with pytest.raises(ValueError, match="no teacher"):
        loss(case.image_ND, case.text_ND, case.scale)


@pytest.mark.parametrize("shapes", [((3, 9), (3, 9)), ((4, 9), (4, 8)), ((4,), (4,))])
def test_a_teacher_of_other_shapes_is_refused(shapes: Any) -> None:
    """One row for each pair, of one dimension on both sides."""
    case = random_case(4)
    loss = ContrastiveLoss(LossConfig(distillation_weight=1.0), World.single())
    guide = TeacherEmbeddings(torch.zeros(shapes[0]), torch.zeros(shapes[1]), 1.0)

    with pytest.raises(ValueError, match=r"not both \(4, T\)"):
        loss(case.image_ND, case.text_ND, case.scale, teacher=guide)
