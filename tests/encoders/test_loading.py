"""Rules of encoders.loading: one door for folders and open_clip sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import EncoderError, NotFoundError
from encoders.folder import ModelFolder, write_model_folder
from encoders.loading import load_encoder
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.torch_runtime import TorchEncoder

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("as_text", [True, False])
def test_a_folder_with_onnx_runs_without_torch(tiny_model_path: Path, *, as_text: bool) -> None:
    """``auto`` prefers OpenVINO, for a path given as text too."""
    model = str(tiny_model_path) if as_text else tiny_model_path

    assert isinstance(load_encoder(model), OpenVINOEncoder)


def test_torch_runs_the_same_folder_when_asked(tiny_model: ModelFolder) -> None:
    """The encoder id is the same."""
    encoder = load_encoder(tiny_model.path, runtime="torch", device="cpu")

    assert isinstance(encoder, TorchEncoder)
    assert encoder.encoder_id == tiny_model.encoder_id


def test_a_folder_without_onnx_runs_with_torch(tiny_model: ModelFolder, tmp_path: Path) -> None:
    """``auto`` falls back to torch, and ``openvino`` says what is missing."""
    names = ("tokenizer.json", "open_clip_config.json", "open_clip_model.safetensors")
    files: dict[str, Path | bytes] = {name: tiny_model.path / name for name in names}
    write_model_folder(tmp_path / "m", tiny_model.spec, files)

    assert isinstance(load_encoder(tmp_path / "m"), TorchEncoder)
    with pytest.raises(EncoderError, match=r"has no image\.onnx"):
        load_encoder(tmp_path / "m", runtime="openvino")


def test_an_open_clip_folder_runs_with_torch(tiny_model_path: Path) -> None:
    """A source with weights of its own, named with and without the prefix."""
    source = tiny_model_path.with_name("tiny-source")

    first, second = load_encoder(f"local-dir:{source}"), load_encoder(source)

    assert first.encoder_id == second.encoder_id
    with pytest.raises(EncoderError, match="export it first"):
        load_encoder(source, runtime="openvino")


def test_a_path_that_is_no_model_is_not_found(tmp_path: Path) -> None:
    """An empty folder, a missing path and a name without weights are told apart."""
    with pytest.raises(NotFoundError, match="no model folder"):
        load_encoder(str(tmp_path))
    with pytest.raises(NotFoundError, match="no model folder"):
        load_encoder(tmp_path / "gone")
    with pytest.raises(EncoderError, match="names no weights"):
        load_encoder("gone")


def test_without_torch_the_message_says_what_to_install(tiny_model_path: Path) -> None:
    """The serving environment has no torch; asking for it is an error with two remedies."""
    script = (
        "import sys\n"
        "for name in ('torch', 'open_clip'): sys.modules[name] = None\n"
        "from encoders.loading import load_encoder\n"
        "from core.errors import EncoderError\n"
        f"load_encoder({str(tiny_model_path)!r})\n"
        "try:\n"
        "    load_encoder('ViT-B-32/openai')\n"
        "except EncoderError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "pip install -e '.[train]'" in done.stdout
    assert "sightline models export" in done.stdout
