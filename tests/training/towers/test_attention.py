"""Attention in float32 between projections in bfloat16."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.towers import families
from training.towers.attention import attend_in_float32
from training.towers.class_token import compute_class_token_only

INPUTS = {"image": families.pictures(families.clip_vit()), "text": families.captions()}


def changed_copy(model: Any) -> Any:
    """Return a copy of a model with the changed attention."""
    twin = copy.deepcopy(model)
    attend_in_float32(twin)
    return twin


def embedded(model: Any, side: str, *, bfloat16: bool) -> tuple[Tensor, Tensor]:
    """Return embeddings and all gradients of a tower, each as one float32 vector."""
    model.zero_grad(set_to_none=True)
    encode = model.encode_image if side == "image" else model.encode_text
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        embeddings = encode(INPUTS[side]).float()
    (embeddings * torch.linspace(-1, 1, embeddings.numel()).view_as(embeddings)).sum().backward()
    found = [value.grad.flatten() for value in model.parameters() if value.grad is not None]
    return embeddings.detach().flatten(), torch.cat(found)


def distance(first: Tensor, second: Tensor) -> float:
    """Return the relative L2 distance."""
    return float((first - second).norm() / second.norm())


@pytest.mark.parametrize("side", ["image", "text"])
def test_in_float32_nothing_changes(side: str) -> None:
    """The original is called: equal to the bit."""
    model = families.clip_vit()
    for ours, theirs in zip(
        embedded(changed_copy(model), side, bfloat16=False),
        embedded(model, side, bfloat16=False),
        strict=True,
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("side", ["image", "text"])
def test_in_bfloat16_it_is_as_far_from_float32_as_the_original(side: str) -> None:
    """Embeddings and gradients of both against float32: a wrong head would be hundreds off."""
    model: Any = families.clip_vit()
    compute_class_token_only(model)
    exact = embedded(model, side, bfloat16=False)
    original = embedded(model, side, bfloat16=True)
    ours = embedded(changed_copy(model), side, bfloat16=True)
    for number in range(2):
        assert 0 < distance(ours[number], exact[number]) < 0.03
        assert distance(ours[number], exact[number]) < 2 * distance(original[number], exact[number])


def test_names_and_weights_stay_as_they_are() -> None:
    """A checkpoint of a changed model is one of the plain model."""
    model = families.clip_vit()
    before = families.state_of(model)
    attend_in_float32(model)
    after = families.state_of(model)
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
