"""Model folders: one dual encoder on disk, verified when opened and never changed.

A folder holds ``model.json`` (the spec), ``tokenizer.json``, ``image.onnx`` and ``text.onnx`` for
the runtime without torch, and ``open_clip_config.json`` with ``open_clip_model.safetensors`` where
open_clip knows the architecture. At least one of the two pairs is there. ``calibration.json`` and
``background.npy`` are optional and change nothing of the encoder id; so are ``runtime.json`` and
the quantised image tower ``image_int8.xml`` + ``image_int8.bin``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.artifacts import (
    Manifest,
    new_artifact,
    read_json,
    read_manifest,
    sha256_bytes,
    sha256_file,
    verify_files,
    write_json,
)
from core.config import from_mapping
from core.errors import ArtifactError, ConfigError, IntegrityError
from core.types import JSONObject
from encoders.spec import ModelSpec, encoder_id

KIND = "model"
FORMAT_VERSION = 1
SPEC_NAME = "model.json"
TOKENIZER_NAME = "tokenizer.json"
IMAGE_ONNX_NAME = "image.onnx"
TEXT_ONNX_NAME = "text.onnx"
OPEN_CLIP_CONFIG_NAME = "open_clip_config.json"
OPEN_CLIP_WEIGHTS_NAME = "open_clip_model.safetensors"
CARD_NAME = "MODEL_CARD.md"
CALIBRATION_NAME = "calibration.json"
BACKGROUND_NAME = "background.npy"
RUNTIME_NAME = "runtime.json"
IMAGE_INT8_NAMES = ("image_int8.xml", "image_int8.bin")

_ONNX_NAMES = (IMAGE_ONNX_NAME, TEXT_ONNX_NAME)
_OPEN_CLIP_NAMES = (OPEN_CLIP_CONFIG_NAME, OPEN_CLIP_WEIGHTS_NAME)
_CALIBRATION_NAMES = (CALIBRATION_NAME, BACKGROUND_NAME)
_KNOWN_NAMES = frozenset(
    {
        TOKENIZER_NAME,
        CARD_NAME,
        *_CALIBRATION_NAMES,
        RUNTIME_NAME,
        *IMAGE_INT8_NAMES,
        *_ONNX_NAMES,
        # Weights of a tower beyond 2 GB stand beside the graph.
        *(f"{name}.data" for name in _ONNX_NAMES),
        *_OPEN_CLIP_NAMES,
    }
)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model folder whose every file has been verified."""

    path: Path
    spec: ModelSpec
    encoder_id: str
    """16 hexadecimal digits; vectors of two encoders may be compared only if it is the same."""
    manifest: Manifest

    @property
    def has_onnx(self) -> bool:
        """Whether the folder runs without torch."""
        return all(name in self.manifest.files for name in _ONNX_NAMES)

    @property
    def has_int8(self) -> bool:
        """Whether the folder holds a quantised image tower."""
        return all(name in self.manifest.files for name in IMAGE_INT8_NAMES)

    @property
    def has_open_clip(self) -> bool:
        """Whether torch can run the folder.

        It then is also an open_clip ``local-dir:``, unless the text tower is one of
        ``encoders.torch_text_towers``.
        """
        return all(name in self.manifest.files for name in _OPEN_CLIP_NAMES)


def open_model_folder(path: Path) -> ModelFolder:
    """Verify every digest and the encoder id of the folder at ``path``, and read its spec.

    Raises:
        ArtifactError: no model folder, a version this release does not know, or a spec that cannot
            be read.
        IntegrityError: a file is missing or damaged, or the encoder id is not that of the spec.
    """
    manifest = read_manifest(path, kind=KIND, format_version=FORMAT_VERSION)
    verify_files(path, manifest)
    _check_names(path, manifest.files)
    spec = _read_spec(path)
    if manifest.files[TOKENIZER_NAME] != spec.tokenizer_digest:
        raise IntegrityError(
            f"{path / TOKENIZER_NAME} has the sha256 {manifest.files[TOKENIZER_NAME]}, but "
            f"{SPEC_NAME} says {spec.tokenizer_digest}; restore the folder or export it again"
        )
    found, declared = encoder_id(spec), manifest.extra.get("encoder_id")
    if found != declared:
        raise IntegrityError(
            f"{path}: the manifest says encoder id {declared}, but {SPEC_NAME} gives {found}; "
            "restore the folder or export it again"
        )
    return ModelFolder(path=path, spec=spec, encoder_id=found, manifest=manifest)


def write_model_folder(
    target: Path, spec: ModelSpec, files: Mapping[str, Path | bytes]
) -> ModelFolder:
    """Write a model folder: all of it, or nothing.

    Args:
        target: must not exist.
        spec: its ``tokenizer_digest`` must be that of the given ``tokenizer.json``.
        files: content or a file to copy, by name: ``tokenizer.json`` and a pair of
            ``image.onnx`` + ``text.onnx`` or the open_clip config + weights; ``MODEL_CARD.md``;
            both files of a calibration (``encoders.calibration_files``); what
            ``encoders.runtime_table`` writes.

    Raises:
        ArtifactError: the target exists, a file is missing, or one is unknown.
        IntegrityError: the tokenizer is not the one that the spec names.
    """
    _check_names(target, {*files, SPEC_NAME})
    digest = _digest(files[TOKENIZER_NAME])
    if digest != spec.tokenizer_digest:
        raise IntegrityError(
            f"{TOKENIZER_NAME} has the sha256 {digest}, the spec says {spec.tokenizer_digest}; "
            "give the tokenizer that the spec was made for"
        )
    extra: JSONObject = {"encoder_id": encoder_id(spec), "name": spec.name}
    with new_artifact(target, kind=KIND, format_version=FORMAT_VERSION, extra=extra) as folder:
        write_json(folder / SPEC_NAME, spec.to_json())
        for name, content in files.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                shutil.copyfile(content, folder / name)
    return open_model_folder(target)


def is_model_folder(path: Path) -> bool:
    """Return whether ``path`` looks like a model folder (nothing is verified)."""
    return (path / SPEC_NAME).is_file()


def _check_names(path: Path, names: Mapping[str, object] | set[str]) -> None:
    """Refuse a set of files that no runtime can load, and files that none would read."""
    unknown = sorted(set(names) - _KNOWN_NAMES - {SPEC_NAME})
    if unknown:
        known = ", ".join(sorted(_KNOWN_NAMES))
        raise ArtifactError(
            f"{path}: {unknown[0]!r} has no place in a model folder; known: {known}"
        )
    for name in (SPEC_NAME, TOKENIZER_NAME):
        if name not in names:
            raise ArtifactError(f"{path}: {name} is missing; export the model again")
    for what, together, remedy in (
        ("a calibration", _CALIBRATION_NAMES, "calibrate the model again"),
        ("a quantised tower", IMAGE_INT8_NAMES, "tune the model again"),
    ):
        present = [name for name in together if name in names]
        if len(present) == 1:
            raise ArtifactError(
                f"{path} has {present[0]} alone; {what} is {' + '.join(together)}: {remedy}"
            )
    runtimes = (_ONNX_NAMES, _OPEN_CLIP_NAMES)
    if not any(all(name in names for name in pair) for pair in runtimes):
        raise ArtifactError(
            f"{path} has no towers: expected {' + '.join(_ONNX_NAMES)} or "
            f"{' + '.join(_OPEN_CLIP_NAMES)}; export the model again"
        )


def _read_spec(path: Path) -> ModelSpec:
    try:
        return from_mapping(ModelSpec, read_json(path / SPEC_NAME), where=str(path / SPEC_NAME))
    except ConfigError as error:
        raise ArtifactError(f"{error}; export the model again with this release") from error


def _digest(content: Path | bytes) -> str:
    return sha256_bytes(content) if isinstance(content, bytes) else sha256_file(content)
