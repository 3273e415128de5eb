"""The last block of a vision transformer for the class token alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.towers import families
from training.towers.checkpointing import enable_gradient_checkpointing
from training.towers.class_token import compute_class_token_only


def is_changed(model: Any) -> bool:
    """Return whether the last block has a forward of its own."""
    return "forward" in vars(model.visual.transformer.resblocks[-1])


def embeddings_and_gradients(model: Any) -> tuple[Tensor, dict[str, Tensor]]:
    """Return both, with every number of the embeddings weighted otherwise."""
    torch.manual_seed(5)
    embeddings_BD = model.encode_image(families.pictures(model))
    weights_BD = torch.linspace(-1, 1, embeddings_BD.numel()).view_as(embeddings_BD)
    (embeddings_BD * weights_BD).sum().backward()
    found = {name: value.grad for name, value in model.visual.named_parameters()}
    return embeddings_BD.detach(), found


@pytest.mark.parametrize("changes", [{}, {"ls_init_value": 0.1}, {"patch_dropout": 0.5}])
def test_embeddings_and_gradients_stay_as_they_are(changes: dict[str, float]) -> None:
    """Against the whole block, with layer scale and with patches left out too."""
    model: Any = families.clip_vit(**changes)
    changed = copy.deepcopy(model)
    compute_class_token_only(changed)
    assert is_changed(changed)

    whole_BD, whole = embeddings_and_gradients(model)
    short_BD, short = embeddings_and_gradients(changed)

    torch.testing.assert_close(short_BD, whole_BD, rtol=1e-5, atol=1e-5)
    for name, expected in whole.items():
        torch.testing.assert_close(short[name], expected, rtol=1e-4, atol=1e-5, msg=name)


def test_the_block_makes_one_token() -> None:
    """Five tokens go in, one comes out: that is the work that is saved."""
    model: Any = families.clip_vit()
    compute_class_token_only(model)
    block = model.visual.transformer.resblocks[-1]

    assert block(torch.randn(2, 5, 32)).shape == (2, 1, 32)


def test_a_copy_of_a_changed_model_computes_with_its_own_weights() -> None:
    """A moving average is such a copy."""
    model: Any = families.clip_vit().eval()
    compute_class_token_only(model)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        model.visual.transformer.resblocks[-1].ln_1.weight.zero_()

    pictures = families.pictures(model)
    assert not torch.equal(model.encode_image(pictures), twin.encode_image(pictures))


def test_towers_that_use_every_token_are_left_alone() -> None:
    """Pooling by the mean needs what the last block makes of the patches."""
    model: Any = families.clip_vit(pool_type="avg")
    compute_class_token_only(model)
    assert not is_changed(model)


def test_a_block_that_is_checkpointed_already_stays_so() -> None:
    """Memory was asked for; the other change would undo it."""
    model: Any = families.clip_vit()
    enable_gradient_checkpointing(model, "image")
    before = model.visual.transformer.resblocks[-1].forward
    compute_class_token_only(model)
    assert model.visual.transformer.resblocks[-1].forward == before
