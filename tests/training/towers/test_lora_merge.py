"""Rules of merging LoRA updates and of storing them."""

from __future__ import annotations

import io

import open_clip
import pytest
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from tests.training.towers.families import FAMILIES, clip_vit, state_of, step
from tests.training.towers.test_lora import BOTH, WITH_ATTENTION, embeddings, trained
from training.towers.adapt import adapt_towers
from training.towers.lora import has_lora, merge_lora, merged_state_dict


@pytest.mark.parametrize("family", WITH_ATTENTION)
def test_merged_weights_give_the_adapted_embeddings_under_the_base_names(family: str) -> None:
    """Trap 24: the merge is exact, and a plain model of the architecture loads it strictly."""
    model = trained(family)
    base = FAMILIES[family]()
    start = embeddings(base)

    base.load_state_dict(merged_state_dict(model), strict=True)

    adapted = embeddings(model)
    assert not torch.allclose(adapted, start, atol=1e-3)
    assert torch.equal(embeddings(base), adapted)


def test_the_merge_in_place_leaves_a_plain_model() -> None:
    """No parametrization is left, the names are the base's, the embeddings the adapted ones."""
    model = trained()
    adapted = embeddings(model)

    merge_lora(model)
    # Without any gradient nn.MultiheadAttention would take its fast path, which rounds otherwise.
    model.requires_grad_()

    assert not has_lora(model)
    assert model.state_dict().keys() == clip_vit().state_dict().keys()
    assert torch.equal(embeddings(model), adapted)
    assert type(model.visual.transformer.resblocks[0].attn) is nn.MultiheadAttention


def test_a_model_without_updates_merges_to_itself() -> None:
    """Export may call it always."""
    model = clip_vit()

    assert merged_state_dict(model).keys() == model.state_dict().keys()


def test_the_weights_of_a_checkpoint_are_merged_without_touching_the_model() -> None:
    """A run exports its best weights, which are not those in the model any more."""
    model = trained()
    best = state_of(model)
    wanted = {name: value.clone() for name, value in merged_state_dict(model).items()}
    step(model)
    now = state_of(model)

    merged = merged_state_dict(model, best)

    assert all(torch.equal(value, wanted[name]) for name, value in merged.items())
    assert all(torch.equal(value, now[name]) for name, value in model.state_dict().items())
    name = "visual.transformer.resblocks.0.attn.in_proj_weight"
    assert not torch.equal(merged[name], merged_state_dict(model)[name])


def test_a_checkpoint_brings_the_updates_back() -> None:
    """The saved names are stable: a new model of the recipe loads them strictly."""
    model = trained()
    stored = save_safetensors({n: v.contiguous() for n, v in state_of(model).items()})
    twin = clip_vit()
    adapt_towers(twin, BOTH, seed=9)

    twin.load_state_dict(load_safetensors(stored), strict=True)

    assert torch.equal(embeddings(twin), embeddings(model))
    name = "visual.transformer.resblocks.0.attn.parametrizations.in_proj_weight.0.up"
    assert name in twin.state_dict()


def test_open_clip_loads_the_merged_weights_from_a_file() -> None:
    """The merged state is plain tensors that any open_clip user can load."""
    stored = io.BytesIO()
    torch.save(merged_state_dict(trained()), stored)
    stored.seek(0)
    plain = clip_vit()

    plain.load_state_dict(torch.load(stored, weights_only=True))

    assert isinstance(plain, open_clip.CLIP)
