"""Rules of the tiled computation: exact gradients, and no matrix of all pairs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.training.losses.naive import backward, random_case, softmax_loss
from training.data.batches import TeacherEmbeddings
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.world import World

CONFIGS = {
    "softmax": LossConfig(tile_rows=4),
    "smoothed": LossConfig(tile_rows=4, label_smoothing=0.1),
    "distilled": LossConfig(tile_rows=4, distillation_weight=1.0),
    "sigmoid": LossConfig(tile_rows=4, kind="sigmoid"),
    "sigmoid distilled": LossConfig(tile_rows=4, kind="sigmoid", distillation_weight=1.0),
    "matryoshka": LossConfig(tile_rows=4, matryoshka_dims=(2, 4)),
}


class LargestTensor(TorchDispatchMode):
    """Notes the most elements that any operation returned."""

    def __init__(self) -> None:
        """Start at nothing."""
        super().__init__()
        self.num_elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run the operation and look at what comes back."""
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.num_elements = max(self.num_elements, *sizes, 0)
        return result


def teacher(count: int) -> TeacherEmbeddings:
    """Return random unit embeddings."""
    image_NT, text_NT = random_case(count, 3, seed=5).unit()
    return TeacherEmbeddings(image_NT.detach(), text_NT.detach(), 30.0)


def groups(count: int) -> Tensor:
    """Return pictures that are distinct and captions of which several are equal."""
    captions_N = torch.randint(0, count // 2, (count,), generator=torch.Generator().manual_seed(2))
    return torch.stack([torch.arange(count), captions_N], dim=1)


@pytest.mark.parametrize("name", CONFIGS)
def test_no_matrix_of_all_pairs_is_made(name: str) -> None:
    """Of 64 pairs in tiles of 4 rows no tensor has more than 64 x 8 elements, backward included."""
    case = random_case(64, 8)
    loss = ContrastiveLoss(CONFIGS[name], World.single())

    with LargestTensor() as largest:
        backward(
            loss(
                case.image_ND,
                case.text_ND,
                case.scale,
                logit_bias=case.bias,
                groups_BG=groups(64),
                teacher=teacher(64),
            )
        )

    assert largest.num_elements == 64 * 8


def test_the_naive_loss_makes_such_a_matrix() -> None:
    """The same recorder sees 64 x 64 elements there, and more in comparing identities."""
    with LargestTensor() as largest:
        backward(softmax_loss(random_case(64, 8), groups_NG=groups(64)[:, :1]))

    assert largest.num_elements == 64 * 64


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_equal_finite_differences(name: str) -> None:
    """Autograd passes gradcheck in float64, for images, texts, scale and bias."""
    case = random_case(7, 5, dtype=torch.float64)
    loss = ContrastiveLoss(CONFIGS[name], World.single())

    def value(image_ND: Tensor, text_ND: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        return loss(
            image_ND, text_ND, scale, logit_bias=bias, groups_BG=groups(7), teacher=teacher(7)
        )

    leaves = (case.image_ND, case.text_ND, case.scale, case.bias)
    assert torch.autograd.gradcheck(value, leaves, atol=1e-6)


def test_the_gradient_of_the_loss_is_passed_on() -> None:
    """A loss that is scaled, as for float16, has gradients scaled alike."""
    plain, scaled = random_case(7), random_case(7)
    loss = ContrastiveLoss(LossConfig(tile_rows=3), World.single())

    backward(loss(plain.image_ND, plain.text_ND, plain.scale))
    backward(1024 * loss(scaled.image_ND, scaled.text_ND, scaled.scale))

    expected = [1024 * gradient for gradient in plain.gradients()]
    torch.testing.assert_close(scaled.gradients(), expected)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_autocast_touches_neither_pass(kind: Any) -> None:
    """Trap 6: under bfloat16 autocast value and gradients are the float32 ones to the bit."""
    outside, inside = random_case(32, 16), random_case(32, 16)
    loss = ContrastiveLoss(LossConfig(kind=kind, tile_rows=5), World.single())

    expected = backward(
        loss(outside.image_ND, outside.text_ND, outside.scale, logit_bias=outside.bias)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = backward(
            loss(inside.image_ND, inside.text_ND, inside.scale, logit_bias=inside.bias)
        )

    assert torch.equal(value, expected)
    assert all(map(torch.equal, inside.gradients(), outside.gradients()))
