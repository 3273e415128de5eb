"""Rules of encoders.open_clip_building: sizes of pictures, and weights that fit or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.model import get_model_preprocess_cfg
from safetensors.torch import save_file
from torch import nn

from core.errors import EncoderError
from encoders.open_clip_building import build_module
from encoders.open_clip_definition import Definition
from tests.fixtures_models import TINY_VIT

TIMM_VIT: dict[str, Any] = {
    **TINY_VIT,
    "vision_cfg": {"timm_model_name": "test_vit", "timm_pool": "avg", "image_size": 64},
}
"""A vision transformer of timm whose default is 160 pixels: 100 patches, not 16."""


def saved(module: nn.Module, path: Path) -> Path:
    """Write the weights of a module."""
    state = {name: value.clone().contiguous() for name, value in module.state_dict().items()}
    save_file(state, path)
    return path


def with_size(model_cfg: dict[str, Any], size: int) -> dict[str, Any]:
    """Return an architecture for another size of pictures."""
    return {**model_cfg, "vision_cfg": {**model_cfg["vision_cfg"], "image_size": size}}


def positions(module: nn.Module) -> torch.Tensor:
    """Return the position embeddings of an image tower."""
    name = "visual.trunk.pos_embed" if hasattr(module.visual, "trunk") else None
    return module.get_parameter(name or "visual.positional_embedding")


def test_trap_19_a_timm_tower_of_another_size_is_read_back(tmp_path: Path) -> None:
    """What was saved at 64 pixels loads at 64 pixels, to the bit; open_clip itself cannot."""
    module = build_module(Definition(TIMM_VIT))
    weights = saved(module, tmp_path / "w.safetensors")

    again = build_module(Definition(TIMM_VIT, weights=weights))

    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert positions(again).shape[1] == 17
    assert get_model_preprocess_cfg(again)["size"] == (64, 64)
    assert again.encode_image(torch.zeros(1, 3, 64, 64)).shape == (1, 16)


def test_weights_of_timms_default_size_are_resized(tmp_path: Path) -> None:
    """A config that asks for 64 pixels over weights of 160, as published ones are."""
    weights = saved(build_module(Definition(with_size(TIMM_VIT, 160))), tmp_path / "w.safetensors")

    module = build_module(Definition(TIMM_VIT, weights=weights))

    assert positions(module).shape[1] == 17
    assert get_model_preprocess_cfg(module)["size"] == (64, 64)


@pytest.mark.parametrize(("model_cfg", "own"), [(TIMM_VIT, 64), (TINY_VIT, 32)])
def test_pretrained_positions_are_resized_to_the_asked_size(
    model_cfg: dict[str, Any], own: int, tmp_path: Path
) -> None:
    """A constant stays one; every other weight stays as it is; the new size embeds."""
    module = build_module(Definition(model_cfg))
    nn.init.constant_(positions(module), 0.25)
    weights = saved(module, tmp_path / "w.safetensors")

    larger = build_module(Definition(model_cfg, weights=weights), image_size=2 * own)

    before, after = module.state_dict(), larger.state_dict()
    changed = [name for name in before if before[name].shape != after[name].shape]
    assert len(changed) == 1
    torch.testing.assert_close(after[changed[0]], torch.full_like(after[changed[0]], 0.25))
    same = before.keys() - {*changed}
    assert all(torch.equal(before[name], after[name]) for name in same)
    assert get_model_preprocess_cfg(larger)["size"] == (2 * own, 2 * own)
    assert larger.encode_image(torch.zeros(1, 3, 2 * own, 2 * own)).shape == (1, 16)


@pytest.mark.parametrize("tower", ["cbow", "lstm", "rms_transformer"])
def test_towers_of_ours_are_read_back(tower: str, tmp_path: Path) -> None:
    """The same weights, by the same names, in the same tower."""
    text_cfg = {"tower": tower, "width": 8, "vocab_size": 99, "context_length": 12}
    model_cfg = {**TINY_VIT, "text_cfg": text_cfg}
    module = build_module(Definition(model_cfg))
    weights = saved(module, tmp_path / "w.safetensors")

    again = build_module(Definition(model_cfg, weights=weights))

    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert (again.context_length, again.vocab_size) == (12, 99)


def test_weights_of_another_tower_are_refused(tmp_path: Path) -> None:
    """Strictly: nothing is left at random."""
    weights = saved(build_module(Definition(TINY_VIT)), tmp_path / "w.safetensors")
    cbow = {**TINY_VIT, "text_cfg": {"tower": "cbow", "width": 8, "vocab_size": 99}}

    with pytest.raises(EncoderError, match=r"cannot load w\.safetensors .*are these its"):
        build_module(Definition(cbow, weights=weights))


def test_what_cannot_be_built_is_refused() -> None:
    """A timm model that does not exist, for example."""
    broken = {**TINY_VIT, "vision_cfg": {"timm_model_name": "no_such_tower"}}

    with pytest.raises(EncoderError, match=r"cannot build this architecture: .*no_such_tower"):
        build_module(Definition(broken))
