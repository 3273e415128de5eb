"""Rules of encoders.export and encoders.parity: faithful or refused."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import open_clip
import pytest
import torch
from PIL import Image
from transformers import BertConfig, BertTokenizerFast

from core.errors import ArtifactError, EncoderError, ParityError
from encoders.export import export_model
from encoders.folder import ModelFolder, open_model_folder
from encoders.loading import load_encoder
from encoders.parity import ParityReport, SampleParity
from tests.fixtures_models import TINY_VIT, export_tiny_model, write_tiny_source

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
Change = Callable[[dict[str, Any]], None]


def to_resnet(config: dict[str, Any]) -> None:
    """A residual network with attention pooling."""
    config["vision_cfg"] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8}


def to_timm(config: dict[str, Any]) -> None:
    """A convolutional network of timm, at a size that is not its own."""
    config["vision_cfg"] = {
        "image_size": 64,
        "timm_model_name": "tf_efficientnet_lite0",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
    }


def to_siglip(config: dict[str, Any]) -> None:
    """A text tower that sees the filling, and a bias."""
    config["custom_text"] = True
    config["init_logit_bias"] = -10.0
    config["text_cfg"].update(no_causal_mask=True, pool_type="last", context_length=20)


def shapes_of(path: Path) -> dict[str, list[int | str]]:
    """Return the input shapes of an ONNX file, free axes by their names."""
    graph = onnx.load(path, load_external_data=False).graph
    return {
        entry.name: [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        for entry in graph.input
    }


@pytest.mark.slow
def test_the_towers_take_any_number_of_items_and_tokens(tiny_model: ModelFolder) -> None:
    """Pixels have a free first axis, texts two."""
    assert shapes_of(tiny_model.path / "image.onnx") == {"pixels": ["items", 32, 32, 3]}
    assert shapes_of(tiny_model.path / "text.onnx") == {
        "input_ids": ["items", "tokens"],
        "attention_mask": ["items", "tokens"],
    }


def test_the_folder_is_an_open_clip_folder(tiny_model: ModelFolder) -> None:
    """Anyone can load it with open_clip; the pictures and texts of both agree."""
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny_model.path}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tiny_model.path}")
    encoder = load_encoder(tiny_model.path)
    pixels_HW3 = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)

    with torch.no_grad():
        image_1D = model.eval().encode_image(transform(Image.fromarray(pixels_HW3))[None], True)
        text_1D = model.encode_text(tokenizer(["a cat"]), True)

    np.testing.assert_allclose(encoder.encode_images(pixels_HW3[None]), image_1D, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(["a cat"]), text_1D, atol=1e-5)


@pytest.mark.slow
def test_exporting_an_export_gives_the_same_encoder(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    """The encoder id does not depend on the name or on how often a model was exported."""
    export_model(f"local-dir:{tiny_model.path}", tmp_path / "again", name="other", license="MIT")
    again = open_model_folder(tmp_path / "again")

    assert again.encoder_id == tiny_model.encoder_id
    assert (again.spec.name, again.spec.license) == ("other", "MIT")
    assert f"`{again.encoder_id}`" in (again.path / "MODEL_CARD.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("change", [to_resnet, to_timm, to_siglip])
def test_other_architectures_export_faithfully(tmp_path: Path, change: Change) -> None:
    """Residual networks, timm's towers and SigLIP's text, in batches of one and three."""
    config = copy.deepcopy(TINY_VIT)
    change(config)
    folder = export_tiny_model(tmp_path / "m", config)
    fast, exact = load_encoder(folder), load_encoder(folder, runtime="torch", device="cpu")
    size = exact.preprocessing.image_size
    pixels_NSS3 = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    texts = ["a", "a photo of " * 3, "word " * 80]

    for count in (1, 3):
        np.testing.assert_allclose(
            fast.encode_images(pixels_NSS3[:count]),
            exact.encode_images(pixels_NSS3[:count]),
            atol=1e-4,
        )
        np.testing.assert_allclose(
            fast.encode_texts(texts[:count]), exact.encode_texts(texts[:count]), atol=1e-4
        )
    assert fast.encoder_id == exact.encoder_id


@pytest.mark.slow
def test_a_text_tower_that_sees_the_filling_keeps_its_length(tmp_path: Path) -> None:
    """Its token axis is fixed, and the spec says so."""
    config = copy.deepcopy(TINY_VIT)
    to_siglip(config)
    folder = open_model_folder(export_tiny_model(tmp_path / "m", config))

    assert not folder.spec.text.trim
    assert folder.spec.logit_bias == -10.0
    assert shapes_of(folder.path / "text.onnx")["input_ids"] == ["items", 20]


@pytest.mark.slow
def test_a_hugging_face_text_tower_exports(tmp_path: Path) -> None:
    """BERT with mean pooling: trimmed exactly, and torch runs the folder without the hub."""
    hub = tmp_path / "bert"
    hub.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
    (hub / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(hub / "vocab.txt")).save_pretrained(hub)
    BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    ).save_pretrained(hub)
    config = copy.deepcopy(TINY_VIT)
    config["text_cfg"] = {
        "hf_model_name": str(hub),
        "hf_tokenizer_name": str(hub),
        "hf_pooler_type": "mean_pooler",
        "context_length": 24,
    }
    (tmp_path / "tiny-bert.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-bert.json")
    module = open_clip.create_model("tiny-bert", pretrained_text=False)
    torch.save(module.state_dict(), tmp_path / "weights.pt")

    report = export_model(f"tiny-bert:{tmp_path / 'weights.pt'}", tmp_path / "m")

    folder = open_model_folder(tmp_path / "m")
    assert report.lowest("text") > 0.9999
    assert folder.spec.text.trim
    shutil.rmtree(hub)
    fast, exact = load_encoder(folder.path), load_encoder(folder.path, runtime="torch")
    texts = ["a", "two red cars", "word " * 30]
    np.testing.assert_allclose(fast.encode_texts(texts), exact.encode_texts(texts), atol=1e-4)


def test_a_target_that_exists_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing is loaded for an export that could not be written."""
    with pytest.raises(ArtifactError, match="exists already"):
        export_model("no/such", tmp_path)


@pytest.mark.slow
def test_an_export_below_the_bound_writes_nothing(tmp_path: Path) -> None:
    """A bound that no model can reach shows what happens to an unfaithful one."""
    source = write_tiny_source(tmp_path / "source")

    with pytest.raises(ParityError, match=r"the limit is 1\.1; nothing was written"):
        export_model(f"local-dir:{source}", tmp_path / "m", minimum_cosine=1.1)

    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_source_that_cannot_be_loaded_leaves_nothing(tmp_path: Path) -> None:
    """An unknown model is an error before anything is written."""
    with pytest.raises(EncoderError, match="knows no model"):
        export_model("ViT-Z-99/openai", tmp_path / "deep" / "m")

    assert list(tmp_path.iterdir()) == []


def test_a_report_names_the_worst_sample() -> None:
    """Values at the bound pass, below they do not, and neither does a NaN."""
    good, bad = SampleParity("image", "1 x 1", 0.999), SampleParity("text", "cat", 0.998)
    ParityReport((good,), 0.999).check()

    with pytest.raises(ParityError, match=r"text 'cat' a cosine of 0\.998000"):
        ParityReport((good, bad), 0.999).check()
    with pytest.raises(ParityError):
        ParityReport((SampleParity("text", "cat", float("nan")),), 0.999).check()


def test_a_report_is_strict_json() -> None:
    """The lowest cosines and every sample."""
    report = ParityReport((SampleParity("image", "a", 1.0), SampleParity("text", "b", 0.5)), 0.4)

    assert report.to_json() == {
        "minimum_cosine": 0.4,
        "lowest_image": 1.0,
        "lowest_text": 0.5,
        "samples": [
            {"kind": "image", "sample": "a", "cosine": 1.0},
            {"kind": "text", "sample": "b", "cosine": 0.5},
        ],
    }
