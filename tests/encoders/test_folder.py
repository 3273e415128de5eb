"""Rules of encoders.folder: all of a model or nothing, and every damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.artifacts import MANIFEST_NAME, sha256_bytes, sha256_file
from core.errors import ArtifactError, IntegrityError
from encoders.folder import (
    ModelFolder,
    is_model_folder,
    open_model_folder,
    write_model_folder,
)
from encoders.preprocessing import Preprocessing
from encoders.spec import ModelSpec, TextSpec, encoder_id

FILES = (
    "MODEL_CARD.md",
    "image.onnx",
    "model.json",
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "text.onnx",
    "tokenizer.json",
)
CONTENT: dict[str, Path | bytes] = {"tokenizer.json": b"{}", "image.onnx": b"i", "text.onnx": b"t"}
SPEC = ModelSpec(
    name="tiny",
    dim=4,
    preprocessing=Preprocessing(image_size=32),
    text=TextSpec(),
    weights_digest="a" * 64,
    tokenizer_digest=sha256_bytes(b"{}"),
)


def edit_manifest(folder: Path, **changes: object) -> None:
    """Change fields of the manifest, as an attacker or an older release would."""
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def reseal(folder: Path, name: str) -> None:
    """Enter the present digest of a changed file into the manifest."""
    files = json.loads((folder / MANIFEST_NAME).read_text())["files"]
    edit_manifest(folder, files={**files, name: sha256_file(folder / name)})


def test_what_is_written_is_what_is_opened(tmp_path: Path) -> None:
    """Spec, encoder id and runtimes survive the disk."""
    written = write_model_folder(tmp_path / "m", SPEC, CONTENT)

    assert written.spec == SPEC
    assert written.encoder_id == encoder_id(SPEC)
    assert written.manifest.extra == {"encoder_id": encoder_id(SPEC), "name": "tiny"}
    assert (written.has_onnx, written.has_open_clip) == (True, False)


@pytest.mark.slow
def test_an_exported_folder_has_both_runtimes(tiny_model: ModelFolder) -> None:
    """Seven files, ONNX and open_clip."""
    assert tuple(sorted(tiny_model.manifest.files)) == FILES
    assert (tiny_model.has_onnx, tiny_model.has_open_clip) == (True, True)


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_in_any_file_is_found(copied_model: Path, name: str) -> None:
    """The message names the file and the remedy."""
    data = bytearray((copied_model / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied_model / name).write_bytes(data)

    with pytest.raises(IntegrityError, match=rf"{name} is damaged.*export it again"):
        open_model_folder(copied_model)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copied_model: Path, name: str) -> None:
    """A folder with a hole is not opened."""
    (copied_model / name).unlink()

    with pytest.raises(IntegrityError, match=f"{name} is missing"):
        open_model_folder(copied_model)


def test_another_kind_of_artifact_is_refused(copied_model: Path) -> None:
    """A report is no model."""
    edit_manifest(copied_model, kind="report")

    with pytest.raises(ArtifactError, match="kind 'report', expected 'model'"):
        open_model_folder(copied_model)


def test_an_unknown_version_is_refused(copied_model: Path) -> None:
    """A later layout is not guessed at."""
    edit_manifest(copied_model, format_version=2)

    with pytest.raises(ArtifactError, match="format version 2; this release reads 1"):
        open_model_folder(copied_model)


def test_an_encoder_id_that_is_not_that_of_the_spec_is_refused(copied_model: Path) -> None:
    """The id in the manifest cannot be borrowed from another model."""
    edit_manifest(copied_model, encoder_id="0123456789abcdef")

    with pytest.raises(IntegrityError, match="encoder id 0123456789abcdef"):
        open_model_folder(copied_model)


def test_a_changed_spec_with_a_fresh_digest_is_refused(copied_model: Path) -> None:
    """Another size of pictures is another encoder, also when the manifest was mended."""
    path = copied_model / "model.json"
    path.write_text(path.read_text().replace('"image_size": 32', '"image_size": 48'))
    reseal(copied_model, "model.json")

    with pytest.raises(IntegrityError, match="the manifest says encoder id"):
        open_model_folder(copied_model)


def test_a_swapped_tokenizer_with_a_fresh_digest_is_refused(copied_model: Path) -> None:
    """The spec names the tokenizer it was made for."""
    (copied_model / "tokenizer.json").write_text("{}")
    reseal(copied_model, "tokenizer.json")

    with pytest.raises(IntegrityError, match=r"tokenizer\.json has the sha256"):
        open_model_folder(copied_model)


def test_a_spec_that_cannot_be_read_is_refused(copied_model: Path) -> None:
    """An unknown field belongs to another release."""
    (copied_model / "model.json").write_text('{"colour": "red"}')
    reseal(copied_model, "model.json")

    with pytest.raises(ArtifactError, match="unknown setting 'colour'"):
        open_model_folder(copied_model)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """An empty folder and a missing one are no models."""
    with pytest.raises(ArtifactError, match="does not exist"):
        open_model_folder(tmp_path)
    with pytest.raises(ArtifactError, match="is not a folder"):
        open_model_folder(tmp_path / "missing")
    assert not is_model_folder(tmp_path)


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    """Model folders are immutable."""
    write_model_folder(tmp_path / "m", SPEC, CONTENT)

    with pytest.raises(ArtifactError, match="exists already"):
        write_model_folder(tmp_path / "m", SPEC, CONTENT)


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    """A file that cannot be copied leaves no half folder."""
    with pytest.raises(FileNotFoundError):
        write_model_folder(tmp_path / "m", SPEC, {**CONTENT, "image.onnx": tmp_path / "gone"})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"image.onnx": b"", "text.onnx": b""}, r"tokenizer\.json is missing"),
        ({"tokenizer.json": b"{}", "image.onnx": b""}, "has no towers"),
        ({**CONTENT, "weights.pkl": b""}, "'weights.pkl' has no place"),
    ],
)
def test_a_set_of_files_that_no_runtime_loads_is_refused(
    tmp_path: Path, files: dict[str, Path | bytes], message: str
) -> None:
    """What is missing or has no place is named, and nothing is written."""
    with pytest.raises(ArtifactError, match=message):
        write_model_folder(tmp_path / "m", SPEC, files)

    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_that_the_spec_does_not_name_is_refused(tmp_path: Path) -> None:
    """The digest in the spec is that of the file."""
    with pytest.raises(IntegrityError, match="the spec says"):
        write_model_folder(tmp_path / "m", SPEC, {**CONTENT, "tokenizer.json": b"{ }"})
