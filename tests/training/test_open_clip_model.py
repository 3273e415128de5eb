"""Rules of building open_clip models and of exporting runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from PIL import Image

from core.errors import ArtifactError, ConfigError, TrainingError
from encoders.preprocessing import Preprocessing
from tests.fixtures_models import TINY_VIT, write_tiny_source
from tests.training.test_checkpoint import STATE
from training.checkpoint import write_checkpoint
from training.open_clip_model import ModelConfig, build_model
from training.run_export import export_run

TINY_TIMM: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {
        "timm_model_name": "test_convnext",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "",
        "image_size": 32,
    },
    "text_cfg": {
        "context_length": 8,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}


@pytest.mark.parametrize("architecture", [TINY_VIT, TINY_TIMM], ids=["vit", "timm"])
def test_an_exported_run_loads_in_open_clip(tmp_path: Path, architecture: dict[str, Any]) -> None:
    """Round trip through local-dir: the same weights, tokens and pixels."""
    built = build_model(ModelConfig(architecture=architecture), seed=3)
    built.model.eval()
    write_checkpoint(tmp_path / "best", model=built.model, optimiser=None, state=STATE)

    folder = export_run(tmp_path / "best", built, tmp_path / "model")

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    texts = open_clip.get_tokenizer(f"local-dir:{folder}")(["a red cat"])
    image = transform(Image.new("RGB", (50, 40), (200, 10, 10)))[None]
    assert torch.equal(texts, built.tokenizer(["a red cat"]))
    assert image.shape[-1] == built.preprocessing.image_size == 32
    with torch.no_grad():
        torch.testing.assert_close(model.encode_text(texts), built.model.encode_text(texts))
        torch.testing.assert_close(model.encode_image(image), built.model.encode_image(image))
    assert model.logit_scale.item() == built.model.logit_scale.item()


def test_random_weights_depend_on_the_seed_alone() -> None:
    """The same seed builds the same model, whatever was drawn before."""
    first = build_model(ModelConfig(architecture=TINY_VIT), seed=1).model.state_dict()
    torch.rand(5)
    again = build_model(ModelConfig(architecture=TINY_VIT), seed=1).model.state_dict()
    other = build_model(ModelConfig(architecture=TINY_VIT), seed=2).model.state_dict()

    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["visual.proj"], other["visual.proj"])


def test_the_preprocessing_is_that_of_open_clip() -> None:
    """Size from the architecture, CLIP's mean and standard deviation."""
    built = build_model(ModelConfig(architecture=TINY_VIT), seed=0)

    assert built.preprocessing == Preprocessing(image_size=32)


def test_a_timm_tower_takes_the_size_of_the_recipe() -> None:
    """Trap 19: open_clip passes the size on only where it is forced."""
    built = build_model(ModelConfig(architecture=TINY_TIMM, image_size=48), seed=0)

    assert built.preprocessing.image_size == 48
    assert built.model.encode_image(torch.zeros(1, 3, 48, 48)).shape == (1, 16)
    assert built.model_cfg["vision_cfg"]["image_size"] == 48  # type: ignore[index]  # a table


def test_a_folder_is_trained_further(tmp_path: Path) -> None:
    """``local-dir:`` starts from the weights in the folder."""
    source = write_tiny_source(tmp_path / "source", seed=4)

    built = build_model(ModelConfig(name=f"local-dir:{source}"), seed=0)

    expected = open_clip.create_model(f"local-dir:{source}").state_dict()
    found = built.model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert (
        built.model_cfg == json.loads((source / "open_clip_config.json").read_text())["model_cfg"]
    )


def test_the_architecture_of_the_recipe_is_not_changed() -> None:
    """open_clip takes entries out of what it is given; the recipe keeps its own."""
    architecture = json.loads(json.dumps(TINY_VIT))

    build_model(ModelConfig(architecture=architecture, image_size=48), seed=0)

    assert architecture == TINY_VIT


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig(name="ViT-B-31"), "ViT-B-31' is no built-in"),
        (ModelConfig(name="RN50", pretrained="no-such-tag"), "no-such-tag"),
        (
            ModelConfig(
                architecture={**TINY_TIMM, "vision_cfg": {"timm_model_name": "no_such_tower"}}
            ),
            "no_such_tower",
        ),
    ],
)
def test_an_unknown_model_is_refused(config: ModelConfig, message: str) -> None:
    """The message names what open_clip does not know."""
    with pytest.raises(ConfigError, match=message):
        build_model(config, seed=0)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder without open_clip_config.json cannot be a model."""
    with pytest.raises(ArtifactError, match="open_clip_config"):
        build_model(ModelConfig(name=f"local-dir:{tmp_path}"), seed=0)


def test_an_incomplete_architecture_is_refused() -> None:
    """open_clip would ignore it silently."""
    with pytest.raises(ConfigError, match="no 'vision_cfg'"):
        ModelConfig(architecture={"embed_dim": 4, "text_cfg": {}})


def test_an_architecture_with_a_pretrained_tag_is_refused() -> None:
    """A setting that could not be used is not ignored."""
    with pytest.raises(ConfigError, match="cannot be used"):
        ModelConfig(architecture=TINY_VIT, pretrained="openai")


def test_weights_of_another_model_are_not_exported(tmp_path: Path) -> None:
    """The folder would claim an architecture that its weights do not have."""
    small = torch.nn.Linear(2, 2)
    write_checkpoint(tmp_path / "best", model=small, optimiser=None, state=STATE)
    built = build_model(ModelConfig(architecture=TINY_VIT), seed=0)

    with pytest.raises(TrainingError, match="other weights"):
        export_run(tmp_path / "best", built, tmp_path / "model")

    assert not (tmp_path / "model").exists()
