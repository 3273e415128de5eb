"""Rules of building open_clip models and of exporting runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import open_clip
import pytest
import torch
from PIL import Image

from core.errors import ConfigError, TrainingError
from encoders.open_clip_source import load_open_clip
from encoders.preprocessing import Preprocessing
from tests.fixtures_models import TINY_VIT, write_tiny_source
from tests.training.test_checkpoint import STATE
from training.checkpoint import write_checkpoint
from training.run_export import export_run
from training.towers.open_clip_model import ModelConfig, build_model

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
    ("name", "pretrained", "message"),
    [
        ("ViT-B-31", "", "knows no model 'ViT-B-31'; did you mean 'ViT-B-32'"),
        ("RN50", "no-such-tag", "'no-such-tag' is not a known tag of RN50.*openai"),
        ("RN50/no-such-tag", "", "'no-such-tag' is not a known tag of RN50"),
        ("RN50:/no/such/file.pt", "", "/no/such/file.pt is not a file"),
        ("RN50/openai", "yfcc15m", "says which weights already"),
        ("local-dir:", "", "names no model"),
    ],
)
def test_an_unknown_model_is_refused(name: str, pretrained: str, message: str) -> None:
    """The message names what is not known, and the setting."""
    with pytest.raises(ConfigError, match=message):
        build_model(ModelConfig(name=name, pretrained=pretrained), seed=0)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder without open_clip_config.json cannot be a model."""
    with pytest.raises(ConfigError, match="open_clip_config"):
        build_model(ModelConfig(name=f"local-dir:{tmp_path}"), seed=0)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """open_clip would go on with random ones and a warning."""
    source = write_tiny_source(tmp_path / "source")
    (source / "open_clip_model.safetensors").unlink()

    with pytest.raises(ConfigError, match="has no weights"):
        build_model(ModelConfig(name=f"local-dir:{source}"), seed=0)


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


@pytest.mark.slow
def test_a_run_gives_its_model_its_own_name(tmp_path: Path) -> None:
    """Every run calls the folder ``model``; an export would be called so, too."""
    built = build_model(ModelConfig(architecture=TINY_VIT), seed=0)
    write_checkpoint(tmp_path / "best", model=built.model, optimiser=None, state=STATE)

    folder = export_run(tmp_path / "best", built, tmp_path / "holidays" / "model")

    spec = load_open_clip(f"local-dir:{folder}").spec
    assert (spec.name, spec.source) == ("holidays", "local-dir:holidays")


@pytest.mark.slow
def test_trap_19_a_run_of_another_size_is_read_back(tmp_path: Path) -> None:
    """A transformer of timm trained at 64 pixels, whose own size is 160."""
    vision = {"timm_model_name": "test_vit", "timm_pool": "avg"}
    config = ModelConfig(architecture={**TINY_VIT, "vision_cfg": vision}, image_size=64)
    built = build_model(config, seed=0)
    write_checkpoint(tmp_path / "best", model=built.model, optimiser=None, state=STATE)

    folder = export_run(tmp_path / "best", built, tmp_path / "run" / "model")

    further = build_model(ModelConfig(name=f"local-dir:{folder}"), seed=1)
    before, after = built.model.state_dict(), further.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert load_open_clip(str(folder)).spec.preprocessing.image_size == 64


def test_weights_in_a_file_are_trained_further(tmp_path: Path) -> None:
    """``NAME:/path`` and ``NAME`` with ``pretrained`` are the same."""
    (tmp_path / "tiny-in-a-file.json").write_text(json.dumps(TINY_VIT))
    open_clip.add_model_config(tmp_path / "tiny-in-a-file.json")
    weights = write_tiny_source(tmp_path / "m", seed=5) / "open_clip_model.safetensors"

    one = build_model(ModelConfig(name=f"tiny-in-a-file:{weights}"), seed=0)
    two = build_model(ModelConfig(name="tiny-in-a-file", pretrained=str(weights)), seed=1)

    first, second = one.model.state_dict(), two.model.state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_pretrained_weights_take_another_size_of_pictures(tmp_path: Path) -> None:
    """The position embeddings are resized, and the folder of the run says the new size."""
    source = write_tiny_source(tmp_path / "source")

    built = build_model(ModelConfig(name=f"local-dir:{source}", image_size=64), seed=0)

    assert built.model.get_parameter("visual.positional_embedding").shape[0] == 17
    assert built.preprocessing.image_size == 64
    assert built.model_cfg["vision_cfg"]["image_size"] == 64


def test_a_model_of_the_hub_is_trained_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that answers from its cache; one that does not is named with the remedy."""
    repository = tmp_path / "models--org--tiny"
    source = write_tiny_source(repository / "snapshots" / "abc", seed=6)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    built = build_model(ModelConfig(name="hf-hub:org/tiny"), seed=0)

    expected = open_clip.create_model(f"local-dir:{source}").state_dict()
    found = built.model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    with pytest.raises(ConfigError, match=r"model\.name = 'hf-hub:org/gone'.*local-dir:FOLDER"):
        build_model(ModelConfig(name="hf-hub:org/gone"), seed=0)


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("text_cfg", {"vocab_size": 100}, "the tokenizer has 49408 tokens; set it to 49408"),
        ("vision_cfg", {"image_size": 8}, "cannot"),
        ("text_cfg", {"proj_type": "none"}, r"shapes \(1, 16\) and \(1, 32\), embed_dim is 16"),
    ],
)
def test_a_recipe_that_cannot_embed_is_refused_at_the_start(
    section: str, changes: dict[str, Any], message: str
) -> None:
    """Not in the middle of the first epoch."""
    architecture = {**TINY_VIT, section: {**TINY_VIT[section], **changes}}

    with pytest.raises(ConfigError, match=message):
        build_model(ModelConfig(architecture=architecture), seed=0)


def test_the_check_at_the_start_changes_nothing() -> None:
    """Statistics of batch norm and the mode are those of a new model."""
    vision = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 32}
    built = build_model(ModelConfig(architecture={**TINY_VIT, "vision_cfg": vision}), seed=0)

    assert built.model.training
    assert torch.equal(built.model.get_buffer("visual.bn1.running_mean"), torch.zeros(4))
