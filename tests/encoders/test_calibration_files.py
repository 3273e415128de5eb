"""Rules of encoders.calibration_files: a calibration survives the disk, and damage is told."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from core.artifacts import MANIFEST_NAME, sha256_bytes, sha256_file
from core.errors import ArtifactError, IntegrityError
from encoders.calibration_files import calibration_files, read_calibration, write_calibrated
from encoders.confidence import Calibration, ConfidenceLine
from encoders.folder import ModelFolder, open_model_folder, write_model_folder
from encoders.preprocessing import Preprocessing
from encoders.spec import ModelSpec, TextSpec, encoder_id

CONTENT: dict[str, Path | bytes] = {"tokenizer.json": b"{}", "image.onnx": b"i", "text.onnx": b"t"}
SPEC = ModelSpec(
    name="tiny",
    dim=4,
    preprocessing=Preprocessing(image_size=32),
    text=TextSpec(),
    weights_digest="a" * 64,
    tokenizer_digest=sha256_bytes(b"{}"),
)
CALIBRATION = Calibration(
    encoder_id(SPEC),
    np.eye(4, dtype=np.float32),
    {"text": ConfidenceLine(6.25, 13.5, -7.0), "image": ConfidenceLine(0.0, 3.0, -1.0)},
    about={"pictures": 3},
)


@pytest.fixture
def plain(tmp_path: Path) -> ModelFolder:
    """Return a model folder without a calibration."""
    return write_model_folder(tmp_path / "plain", SPEC, CONTENT)


@pytest.fixture
def calibrated(plain: ModelFolder, tmp_path: Path) -> ModelFolder:
    """Return a copy of it with one."""
    return write_calibrated(plain, tmp_path / "calibrated", CALIBRATION)


def change(folder: ModelFolder, name: str, data: bytes) -> ModelFolder:
    """Replace a file and enter its digest into the manifest, as another writer would."""
    (folder.path / name).write_bytes(data)
    manifest = json.loads((folder.path / MANIFEST_NAME).read_text())
    manifest["files"][name] = sha256_file(folder.path / name)
    (folder.path / MANIFEST_NAME).write_text(json.dumps(manifest))
    return open_model_folder(folder.path)


def edited(folder: ModelFolder, **fields: object) -> ModelFolder:
    """Change fields of calibration.json."""
    content = json.loads((folder.path / "calibration.json").read_text())
    return change(folder, "calibration.json", json.dumps({**content, **fields}).encode())


def test_what_is_written_is_what_is_read(calibrated: ModelFolder) -> None:
    """Lines to the bit, the background in half precision, and what people are told."""
    found = read_calibration(calibrated)

    assert found is not None
    assert (found.lines, found.about) == (CALIBRATION.lines, {"pictures": 3})
    assert found.background_BD.dtype == np.float32
    np.testing.assert_array_equal(found.background_BD, CALIBRATION.background_BD)


def test_the_encoder_id_stays(plain: ModelFolder, calibrated: ModelFolder) -> None:
    """Galleries of the model go on to work."""
    assert calibrated.encoder_id == plain.encoder_id
    assert calibrated.spec == plain.spec


def test_a_folder_without_one_has_none(plain: ModelFolder) -> None:
    """Every folder of an earlier release."""
    assert read_calibration(plain) is None


def test_a_second_calibration_replaces_the_first(calibrated: ModelFolder, tmp_path: Path) -> None:
    """In a new folder; the old one stays as it is."""
    other = Calibration(
        CALIBRATION.encoder_id, np.ones((2, 4), np.float32), {"text": ConfidenceLine(1.0, 1.0, 0.0)}
    )
    again = read_calibration(write_calibrated(calibrated, tmp_path / "again", other))

    assert again is not None
    assert set(again.lines) == {"text"}
    first = read_calibration(open_model_folder(calibrated.path))
    assert first is not None
    assert set(first.lines) == {"text", "image"}


@pytest.mark.parametrize("name", ["calibration.json", "background.npy"])
def test_one_flipped_bit_is_found(calibrated: ModelFolder, name: str) -> None:
    """The message names the file."""
    data = bytearray((calibrated.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (calibrated.path / name).write_bytes(data)

    with pytest.raises(IntegrityError, match=f"{name} is damaged"):
        open_model_folder(calibrated.path)


@pytest.mark.parametrize("name", ["calibration.json", "background.npy"])
def test_half_a_calibration_is_refused(tmp_path: Path, name: str) -> None:
    """One file without the other rates nothing."""
    half = {name: calibration_files(CALIBRATION)[name]}

    with pytest.raises(ArtifactError, match=f"has {name} alone"):
        write_model_folder(tmp_path / "half", SPEC, {**CONTENT, **half})


def test_a_calibration_of_another_encoder_is_refused(
    plain: ModelFolder, calibrated: ModelFolder, tmp_path: Path
) -> None:
    """When it is written, and when it is read."""
    other = Calibration("0" * 16, CALIBRATION.background_BD, CALIBRATION.lines)
    with pytest.raises(IntegrityError, match="for encoder 0000000000000000"):
        write_calibrated(plain, tmp_path / "other", other)
    with pytest.raises(IntegrityError, match="was made for encoder 0000000000000000"):
        read_calibration(edited(calibrated, encoder_id="0" * 16))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format_version": 2}, "format version 2; this release reads 1"),
        ({"lines": {}}, "expected some of text, image"),
        ({"lines": []}, "expected an object"),
        ({"lines": {"sound": {"score_weight": 1, "gap_weight": 1, "offset": 0}}}, "sound"),
        ({"lines": {"text": {"score_weight": 1, "offset": 0}}}, "gap_weight"),
        ({"lines": {"text": {"score_weight": -1, "gap_weight": 1, "offset": 0}}}, "0 or above"),
        ({"lines": {"text": {"score_weight": [], "gap_weight": 1, "offset": 0}}}, "float"),
    ],
)
def test_content_that_is_no_calibration_is_refused(
    calibrated: ModelFolder, fields: dict[str, object], message: str
) -> None:
    """Another version, no lines, an unknown kind, a weight that is missing or impossible."""
    with pytest.raises(ArtifactError, match=message):
        read_calibration(edited(calibrated, **fields))


@pytest.mark.parametrize(
    "background", [np.zeros((2, 3), np.float16), np.zeros((2, 4)), np.zeros(4, np.float16)]
)
def test_a_background_of_another_shape_is_refused(
    calibrated: ModelFolder, background: np.ndarray
) -> None:
    """Another dimension, another type, no matrix."""
    buffer = io.BytesIO()
    np.save(buffer, background)

    with pytest.raises(ArtifactError, match=r"expected float16 and \(B, 4\)"):
        read_calibration(change(calibrated, "background.npy", buffer.getvalue()))


def test_a_background_with_objects_is_never_unpickled(calibrated: ModelFolder) -> None:
    """A pickle is code."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], object), allow_pickle=True)

    with pytest.raises(ArtifactError, match="cannot be read"):
        read_calibration(change(calibrated, "background.npy", buffer.getvalue()))
