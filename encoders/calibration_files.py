"""The calibration of a model folder: ``calibration.json`` and ``background.npy``.

Both are optional and do not count for the encoder id: galleries go on to work with the folder.
The manifest of the folder has their digests.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import cast

import numpy as np

from core.artifacts import read_json
from core.errors import ArtifactError, IntegrityError, UsageError
from core.types import FloatArray, JSONObject, JSONValue
from encoders.confidence import Calibration, ConfidenceLine, QueryKind
from encoders.folder import (
    BACKGROUND_NAME,
    CALIBRATION_NAME,
    SPEC_NAME,
    ModelFolder,
    write_model_folder,
)

FORMAT_VERSION = 1
_WEIGHTS = ("score_weight", "gap_weight", "offset")


def read_calibration(folder: ModelFolder) -> Calibration | None:
    """Return the calibration of a verified model folder, ``None`` where it has none.

    Raises:
        ArtifactError: a version that this release does not know, or content that is no calibration.
        IntegrityError: it was made for another encoder.
    """
    if CALIBRATION_NAME not in folder.manifest.files:
        return None
    path = folder.path / CALIBRATION_NAME
    fields = read_json(path)
    if fields.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format version {fields.get('format_version')!r}; this release reads "
            f"{FORMAT_VERSION}. Calibrate the model again with this release"
        )
    if fields.get("encoder_id") != folder.encoder_id:
        raise IntegrityError(
            f"{path} was made for encoder {fields.get('encoder_id')}, the folder holds "
            f"{folder.encoder_id}; calibrate the model again"
        )
    background_BD = _read_background(folder.path / BACKGROUND_NAME, dim=folder.spec.dim)
    about = fields.get("about")
    try:
        return Calibration(
            encoder_id=folder.encoder_id,
            background_BD=background_BD,
            lines=_lines(fields.get("lines")),
            about=about if isinstance(about, dict) else {},
        )
    except (UsageError, TypeError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is no calibration: {error}; calibrate again") from error


def write_calibrated(folder: ModelFolder, target: Path, calibration: Calibration) -> ModelFolder:
    """Write a copy of a model folder with a calibration, in place of the one it may have.

    Raises:
        ArtifactError: ``target`` exists.
        IntegrityError: the calibration was made for another encoder.
    """
    if calibration.encoder_id != folder.encoder_id:
        raise IntegrityError(
            f"a calibration for encoder {calibration.encoder_id} cannot go into a folder of "
            f"{folder.encoder_id}; calibrate with the model itself"
        )
    made = {SPEC_NAME, CALIBRATION_NAME, BACKGROUND_NAME}
    files: dict[str, Path | bytes] = {
        name: folder.path / name for name in folder.manifest.files if name not in made
    }
    return write_model_folder(target, folder.spec, {**files, **calibration_files(calibration)})


def calibration_files(calibration: Calibration) -> dict[str, bytes]:
    """Return the content of the two files by name; the same calibration gives the same bytes."""
    lines: JSONObject = {
        kind: {name: getattr(line, name) for name in _WEIGHTS}
        for kind, line in sorted(calibration.lines.items())
    }
    content: JSONObject = {
        "format_version": FORMAT_VERSION,
        "encoder_id": calibration.encoder_id,
        "lines": lines,
        "about": calibration.about,
    }
    buffer = io.BytesIO()
    # Half precision moves a background score by less than a thousandth.
    np.save(buffer, calibration.background_BD.astype(np.float16), allow_pickle=False)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return {CALIBRATION_NAME: f"{text}\n".encode(), BACKGROUND_NAME: buffer.getvalue()}


def _lines(value: JSONValue) -> dict[QueryKind, ConfidenceLine]:
    if not isinstance(value, dict):
        raise UsageError("lines: expected an object by kind of query")
    found: dict[QueryKind, ConfidenceLine] = {}
    for kind, weights in value.items():
        if not isinstance(weights, dict):
            raise UsageError(f"lines.{kind}: expected {', '.join(_WEIGHTS)}")
        numbers = {name: float(cast("float", weights[name])) for name in _WEIGHTS}
        found[cast("QueryKind", kind)] = ConfidenceLine(**numbers)
    return found


def _read_background(path: Path, *, dim: int) -> FloatArray:
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}; calibrate the model again") from error
    if stored.dtype != np.float16 or stored.ndim != 2 or stored.shape[1] != dim:  # noqa: PLR2004 - rows and columns
        raise ArtifactError(
            f"{path} has shape {stored.shape} and type {stored.dtype}, expected float16 and "
            f"(B, {dim}); calibrate the model again"
        )
    return cast("FloatArray", stored.astype(np.float32))
