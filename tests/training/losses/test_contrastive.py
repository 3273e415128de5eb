"""Rules of the door: types, Matryoshka dimensions, and shapes that are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.errors import ConfigError
from tests.training.losses.naive import Case, backward, random_case, softmax_loss
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.world import World

OWN = torch.arange(9)[:, None]


def test_bfloat16_embeddings_have_float32_logits() -> None:
    """Trap 6: at scale 100, bfloat16 logits would move in steps of 0.5; the loss is float32's."""
    case = random_case(32, 16)
    image_ND, text_ND = case.image_ND.bfloat16(), case.text_ND.bfloat16()
    loss = ContrastiveLoss(LossConfig(), World.single())

    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(image_ND, text_ND, torch.tensor(100.0))

    assert value.dtype == torch.float32
    assert torch.equal(value, loss(image_ND.float(), text_ND.float(), torch.tensor(100.0)))


def test_embeddings_of_any_length_count_alike() -> None:
    """Raw embeddings come in and are normalised."""
    case = random_case(9)
    loss = ContrastiveLoss(LossConfig(), World.single())

    value = loss(7 * case.image_ND, case.text_ND, case.scale)

    torch.testing.assert_close(value, loss(*case.unit(), case.scale))


@pytest.mark.parametrize(
    ("weights", "shares"), [((), (1 / 3, 1 / 3, 1 / 3)), ((2.0, 5.0), (2 / 8, 5 / 8, 1 / 8))]
)
def test_matryoshka_is_the_weighted_mean_over_prefixes(
    weights: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    """Each prefix is normalised by itself; all dimensions together count with weight 1."""
    ours, theirs = random_case(9), random_case(9)
    config = LossConfig(matryoshka_dims=(2, 4), matryoshka_weights=weights, tile_rows=4)

    value = backward(
        ContrastiveLoss(config, World.single())(ours.image_ND, ours.text_ND, ours.scale)
    )

    parts = [
        Case(theirs.image_ND[:, :dim], theirs.text_ND[:, :dim], theirs.scale, theirs.bias)
        for dim in (2, 4, 6)
    ]
    losses = torch.stack([softmax_loss(part, groups_NG=OWN) for part in parts])
    expected = backward((torch.tensor(shares) * losses).sum())
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(ours.gradients(), theirs.gradients())


def test_a_matryoshka_dimension_beyond_the_model_s_is_refused() -> None:
    """The message names both."""
    case = random_case(4, 6)
    loss = ContrastiveLoss(LossConfig(matryoshka_dims=(2, 6)), World.single())

    with pytest.raises(ConfigError, match="holds 6, but the embeddings have 6 dimensions"):
        loss(case.image_ND, case.text_ND, case.scale)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_BD": torch.ones(3, 6)}, r"images \(3, 6\) and texts \(4, 6\) differ"),
        (
            {"image_BD": torch.ones(4), "text_BD": torch.ones(4)},
            r"shape \(4,\), expected \(B, D\)",
        ),
        ({"image_BD": torch.ones(0, 6), "text_BD": torch.ones(0, 6)}, "at least 1"),
        ({"logit_scale": torch.ones(1)}, r"logit_scale has shape \(1,\), expected a scalar"),
        ({"logit_bias": torch.ones(1)}, r"logit_bias has shape \(1,\), expected a scalar"),
        ({"groups_BG": torch.zeros(3, 2, dtype=torch.int64)}, r"\(3, 2\), expected \(4, G\)"),
        ({"groups_BG": torch.zeros(4, dtype=torch.int64)}, r"\(4,\), expected \(4, G\)"),
        ({"groups_BG": torch.zeros(4, 0, dtype=torch.int64)}, r"\(4, 0\), expected \(4, G\)"),
        ({"groups_BG": torch.zeros(4, 1)}, "groups are torch.float32, expected int64"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    """The message names the shape and what is expected."""
    case = random_case(4)
    arguments: dict[str, Any] = {
        "image_BD": case.image_ND,
        "text_BD": case.text_ND,
        "logit_scale": case.scale,
        **change,
    }

    with pytest.raises(ValueError, match=message):
        ContrastiveLoss(LossConfig(), World.single())(**arguments)
