"""Rules of encoders.open_clip_definition: what a source says, from a folder, a name or a hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest

from core.errors import EncoderError
from encoders.open_clip_definition import read_definition
from encoders.open_clip_names import Source, parse_source
from encoders.open_clip_source import load_open_clip
from tests.fixtures_models import TINY_VIT, write_tiny_source


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub that answers from its cache alone: the one repository in it is ``org/tiny``."""
    cache = tmp_path / "hub"
    repository = cache / "models--org--tiny"
    write_tiny_source(repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    return repository / "snapshots" / "abc"


def test_a_model_of_the_hub_is_the_folder_that_it_is(hub: Path) -> None:
    """The same weights and spec as ``local-dir:``; called by its id."""
    spec = load_open_clip("hf-hub:org/tiny").spec

    assert spec.weights_digest == load_open_clip(f"local-dir:{hub}").spec.weights_digest
    assert (spec.name, spec.source) == ("org/tiny", "hf-hub:org/tiny")


@pytest.mark.usefixtures("hub")
def test_a_hub_that_does_not_answer_is_a_clear_error() -> None:
    """The message names the model and what to do without a hub."""
    with pytest.raises(EncoderError, match=r"hf-hub:org/other cannot be fetched.*local-dir:FOLDER"):
        load_open_clip("hf-hub:org/other")
    with pytest.raises(EncoderError, match=r"cannot be fetched.*give a file: ViT-B-32:/path"):
        load_open_clip("ViT-B-32/laion2b_s34b_b79k")


def test_a_config_of_the_hub_needs_no_weights(hub: Path) -> None:
    """To count layers, for example."""
    (hub / "open_clip_model.safetensors").unlink()

    definition = read_definition(Source("hf-hub:org/tiny"), fetch_weights=False)

    assert definition.model_cfg == TINY_VIT
    assert definition.weights is None


@pytest.mark.parametrize(
    ("source", "quick"),
    [
        ("ViT-B-32/openai", True),
        ("ViT-B-32-quickgelu/openai", True),
        ("ViT-B-32/laion2b_s34b_b79k", False),
    ],
)
def test_trap_23_the_activation_follows_the_weights(source: str, *, quick: bool) -> None:
    """OpenAI's weights need QuickGELU under either name; open_clip itself would only warn."""
    definition = read_definition(parse_source(source), fetch_weights=False)

    assert bool(definition.model_cfg.get("quick_gelu")) is quick


def test_trap_23_bare_weights_take_the_preprocessing_that_all_published_ones_share(
    tmp_path: Path,
) -> None:
    """SigLIP's pictures are normalised with 0.5; a file of weights does not say so."""
    (tmp_path / "weights.pt").touch()

    definition = read_definition(parse_source(f"ViT-B-16-SigLIP:{tmp_path / 'weights.pt'}"))

    assert definition.preprocess_cfg["mean"] == (0.5, 0.5, 0.5)
    assert definition.preprocess_cfg["resize_mode"] == "squash"


def test_the_preprocessing_of_a_tag_is_its_own() -> None:
    """The same name, two tags."""
    siglip = read_definition(parse_source("ViT-B-16-SigLIP/webli"), fetch_weights=False)
    plain = read_definition(parse_source("ViT-B-16"))

    assert siglip.preprocess_cfg["std"] == (0.5, 0.5, 0.5)
    assert plain.preprocess_cfg == {}


def test_a_folder_without_an_architecture_is_refused(tmp_path: Path) -> None:
    """Whatever else its config says."""
    folder = write_tiny_source(tmp_path / "m")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": 3}}))

    with pytest.raises(EncoderError, match="no model_cfg with vision_cfg and text_cfg"):
        read_definition(Source(f"local-dir:{folder}"))


def test_safetensors_are_read_before_pickles(tmp_path: Path) -> None:
    """Where a folder has both."""
    folder = write_tiny_source(tmp_path / "m")
    shutil.copy(folder / "open_clip_model.safetensors", folder / "open_clip_pytorch_model.bin")

    assert read_definition(Source(f"local-dir:{folder}")).weights == (
        folder / "open_clip_model.safetensors"
    )
