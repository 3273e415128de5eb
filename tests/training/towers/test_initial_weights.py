"""Rules of training.towers.initial_weights: one tower from a file, strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from core.errors import ConfigError
from tests.fixtures_models import TINY_VIT, write_tiny_source
from tests.training.towers.test_open_clip_model import TINY_TIMM
from training.towers.open_clip_model import BuiltModel, ModelConfig, build_model

TINY_CBOW: dict[str, Any] = {
    **TINY_VIT,
    "text_cfg": {"tower": "cbow", "width": 8, "context_length": 8},
}


def build(
    architecture: dict[str, Any], *, seed: int = 0, size: int = 0, **towers: str
) -> BuiltModel:
    """Build a model from an architecture, with weights of towers."""
    config = ModelConfig(architecture=architecture, image_size=size, **towers)
    return build_model(config, seed=seed)


def write(state: dict[str, Tensor], path: Path) -> str:
    """Write weights and return their path."""
    save_file({name: value.clone().contiguous() for name, value in state.items()}, path)
    return str(path)


def part(built: BuiltModel, prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names begin so, without the prefix."""
    state = built.model.state_dict()
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Return whether two sets of weights are the same to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("whole", [True, False])
def test_an_image_tower_starts_from_a_file(tmp_path: Path, *, whole: bool) -> None:
    """A CLIP checkpoint, or the tower alone; the text tower keeps its random weights."""
    source = build(TINY_VIT, seed=1)
    state = part(source, "") if whole else part(source, "visual.")

    built = build(TINY_VIT, pretrained_image=write(state, tmp_path / "w.safetensors"))

    assert equal(part(built, "visual."), part(source, "visual."))
    assert equal(part(built, "transformer."), part(build(TINY_VIT), "transformer."))


@pytest.mark.parametrize("architecture", [TINY_VIT, TINY_CBOW], ids=["clip", "cbow"])
def test_a_text_tower_starts_from_a_checkpoint(
    architecture: dict[str, Any], tmp_path: Path
) -> None:
    """The image tower keeps its random weights, and so does the temperature."""
    source = build(architecture, seed=1)

    built = build(architecture, pretrained_text=write(part(source, ""), tmp_path / "w.safetensors"))

    image = "visual."
    text = {name: value for name, value in part(built, "").items() if not name.startswith(image)}
    expected = {n: value for n, value in part(source, "").items() if not n.startswith(image)}
    assert equal(text, expected)
    assert equal(part(built, image), part(build(architecture), image))


def test_positions_of_another_size_are_resized(tmp_path: Path) -> None:
    """From 32 pixels (4 patches) to 64 (16), one class token each."""
    state = part(build(TINY_VIT, seed=1), "visual.")

    built = build(TINY_VIT, size=64, pretrained_image=write(state, tmp_path / "w.safetensors"))

    found = part(built, "visual.")
    assert found["positional_embedding"].shape[0] == 17
    assert torch.equal(found["positional_embedding"][0], state["positional_embedding"][0])
    assert torch.equal(found["conv1.weight"], state["conv1.weight"])


def test_a_tower_of_timm_starts_from_timms_own_file(tmp_path: Path) -> None:
    """The trunk is taken, the classifier left out, and the projection stays random."""
    torch.manual_seed(7)
    state = timm.create_model("test_convnext").state_dict()

    built = build(TINY_TIMM, pretrained_image=write(state, tmp_path / "w.safetensors"))

    found, random = part(built, "visual.trunk."), part(build(TINY_TIMM), "visual.trunk.")
    trunk = {name: value for name, value in found.items() if not name.startswith("head.fc.")}
    assert all(torch.equal(value, state[name]) for name, value in trunk.items())
    assert torch.equal(found["head.fc.weight"], random["head.fc.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"pretrained_image = .* lacks visual\.conv1\.weight"),
        ("extra", r"has, and the tower has not, visual\.more"),
        ("shape", r"visual\.proj has the shape \(3, 3\), the tower's is \(32, 16\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: str, message: str) -> None:
    """open_clip only logs them."""
    state = part(build(TINY_VIT), "visual.")
    if change == "missing":
        del state["conv1.weight"]
    elif change == "extra":
        state["more"] = torch.zeros(1)
    else:
        state["proj"] = torch.zeros(3, 3)

    with pytest.raises(ConfigError, match=message):
        build(TINY_VIT, pretrained_image=write(state, tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("architecture", "setting", "value", "message"),
    [
        (TINY_VIT, "pretrained_image", "in1k", "only timm towers have tags"),
        (TINY_TIMM, "pretrained_image", "r160_in2k", "did you mean 'r160_in1k'"),
        (TINY_VIT, "pretrained_text", "hf", "is no file"),
        (TINY_VIT, "pretrained_text", "/no/such/file", "/no/such/file' is no file"),
    ],
)
def test_what_is_neither_file_nor_tag_is_refused(
    architecture: dict[str, Any], setting: str, value: str, message: str
) -> None:
    """The message says what would do."""
    with pytest.raises(ConfigError, match=message):
        build(architecture, **{setting: value})


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    """The message names setting and file."""
    (tmp_path / "w.safetensors").write_bytes(b"none")

    with pytest.raises(ConfigError, match=r"pretrained_text = .*w\.safetensors cannot be read"):
        build(TINY_VIT, pretrained_text=str(tmp_path / "w.safetensors"))


def test_a_tower_of_timm_starts_from_a_published_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the cache of the hub, with the mean and deviation that the weights were trained with."""
    torch.manual_seed(7)
    state = timm.create_model("test_convnext").state_dict()
    repository = tmp_path / "models--timm--test_convnext.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    write(state, repository / "snapshots" / "abc" / "model.safetensors")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    built = build(TINY_TIMM, pretrained_image="r160_in1k")

    found = part(built, "visual.trunk.")
    trunk = {name: value for name, value in found.items() if not name.startswith("head.fc.")}
    assert all(torch.equal(value, state[name]) for name, value in trunk.items())
    published = timm.get_pretrained_cfg("test_convnext.r160_in1k")
    assert (built.preprocessing.mean, built.preprocessing.std) == (published.mean, published.std)
    assert built.model_cfg == TINY_TIMM


def test_a_tag_beside_weights_of_the_whole_model_is_refused(tmp_path: Path) -> None:
    """One of the two would be ignored."""
    source = write_tiny_source(tmp_path / "m", TINY_TIMM)
    config = ModelConfig(name=f"local-dir:{source}", pretrained_image="r160_in1k")

    with pytest.raises(ConfigError, match="has weights already"):
        build_model(config, seed=0)
