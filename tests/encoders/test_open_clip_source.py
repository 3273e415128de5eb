"""Rules of encoders.open_clip_source: which models can be named, and what is said otherwise."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from core.errors import EncoderError
from encoders.folder import ModelFolder, write_model_folder
from encoders.open_clip_source import load_open_clip
from encoders.spec import encoder_id
from tests.fixtures_models import TINY_VIT, write_tiny_source


class Evil:
    """An object whose unpickling runs a command."""

    def __init__(self, path: Path) -> None:
        """Remember what to touch."""
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask the unpickler to run a command."""
        return os.system, (f"touch {self._path}",)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one open_clip folder for the tests that only read."""
    return write_tiny_source(tmp_path_factory.mktemp("sources") / "tiny")


def test_all_forms_of_one_model_have_one_encoder_id(source: Path, tmp_path: Path) -> None:
    """A folder, a bare path and a name with a checkpoint are the same weights."""
    (tmp_path / "tiny-named.json").write_text(json.dumps(TINY_VIT))
    open_clip.add_model_config(tmp_path / "tiny-named.json")
    module = load_open_clip(f"local-dir:{source}").module
    torch.save({"state_dict": module.state_dict()}, tmp_path / "epoch_1.pt")

    specs = [
        load_open_clip(form).spec
        for form in (f"local-dir:{source}", str(source), f"tiny-named:{tmp_path / 'epoch_1.pt'}")
    ]

    assert len({encoder_id(spec) for spec in specs}) == 1
    assert [spec.name for spec in specs] == ["tiny", "tiny", "tiny-named"]
    assert [spec.source for spec in specs] == [
        "local-dir:tiny",
        "local-dir:tiny",
        "tiny-named:epoch_1.pt",
    ]


def test_the_spec_says_what_the_model_is(source: Path) -> None:
    """Dimension, size of pictures, temperature and context come from the model."""
    spec = load_open_clip(str(source)).spec

    assert (spec.dim, spec.preprocessing.image_size, spec.text.context_length) == (16, 32, 77)
    assert spec.logit_scale == pytest.approx(1 / 0.07)
    assert spec.logit_bias == 0.0


def test_the_bias_of_sigmoid_trained_models_is_kept(tmp_path: Path) -> None:
    """SigLIP's logits have an offset."""
    config = {**copy.deepcopy(TINY_VIT), "init_logit_bias": -10.0}

    assert load_open_clip(str(write_tiny_source(tmp_path / "m", config))).spec.logit_bias == -10.0


def test_another_size_of_pictures_is_another_encoder(source: Path) -> None:
    """The position embeddings are resized, so the weights differ."""
    larger = load_open_clip(str(source), image_size=48).spec

    assert larger.preprocessing.image_size == 48
    assert encoder_id(larger) != encoder_id(load_open_clip(str(source)).spec)


def test_an_unknown_name_or_tag_is_refused() -> None:
    """open_clip's own message is passed on."""
    with pytest.raises(EncoderError, match="knows no model 'ViT-Z-99'"):
        load_open_clip("ViT-Z-99/openai")
    with pytest.raises(EncoderError, match="not a known tag"):
        load_open_clip("ViT-B-32/nonsense")


def test_a_folder_without_weights_is_refused(source: Path, tmp_path: Path) -> None:
    """open_clip would go on with random ones."""
    shutil.copy(source / "open_clip_config.json", tmp_path)

    with pytest.raises(EncoderError, match="cannot load"):
        load_open_clip(f"local-dir:{tmp_path}")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the source."""
    with pytest.raises(EncoderError, match="cannot be read"):
        load_open_clip(f"local-dir:{tmp_path / 'gone'}")


def test_weights_of_another_architecture_are_refused(source: Path, tmp_path: Path) -> None:
    """A mismatch of shapes is an error, not a partly loaded model."""
    other = Path(shutil.copytree(source, tmp_path / "other"))
    config = json.loads((other / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 8
    (other / "open_clip_config.json").write_text(json.dumps(config))

    with pytest.raises(EncoderError, match="size mismatch"):
        load_open_clip(str(other))


def test_a_pickle_is_never_run(source: Path, tmp_path: Path) -> None:
    """A checkpoint with code in it is refused and the code does not run."""
    folder = tmp_path / "evil"
    folder.mkdir()
    shutil.copy(source / "open_clip_config.json", folder)
    torch.save(Evil(tmp_path / "touched"), folder / "open_clip_pytorch_model.bin")

    with pytest.raises(EncoderError, match="cannot load"):
        load_open_clip(str(folder))
    assert not (tmp_path / "touched").exists()


def test_pictures_that_are_not_square_are_refused(tmp_path: Path) -> None:
    """Only squares are supported; the message names the size."""
    config = copy.deepcopy(TINY_VIT)
    config["vision_cfg"]["image_size"] = [32, 48]

    with pytest.raises(EncoderError, match="only squares"):
        load_open_clip(str(write_tiny_source(tmp_path / "m", config)))


def test_a_folder_for_openvino_only_is_refused(tiny_model: ModelFolder, tmp_path: Path) -> None:
    """Without open_clip's files torch cannot run it."""
    names = ("tokenizer.json", "image.onnx", "text.onnx")
    files: dict[str, Path | bytes] = {name: tiny_model.path / name for name in names}
    folder = write_model_folder(tmp_path / "m", tiny_model.spec, files)

    with pytest.raises(EncoderError, match="use the runtime openvino"):
        load_open_clip(folder)
