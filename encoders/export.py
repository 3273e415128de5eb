"""Any open_clip model to a model folder that runs without torch, checked against its source."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ArtifactError
from encoders.folder import (
    CARD_NAME,
    IMAGE_ONNX_NAME,
    OPEN_CLIP_CONFIG_NAME,
    OPEN_CLIP_WEIGHTS_NAME,
    SPEC_NAME,
    TEXT_ONNX_NAME,
    TOKENIZER_NAME,
    ModelFolder,
    write_model_folder,
)
from encoders.loading import require_training_extra
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.parity import SAMPLE_TEXTS, ParityReport, compare, sample_pictures
from encoders.spec import ModelSpec, encoder_id

if TYPE_CHECKING:
    from encoders.open_clip_source import OpenClipModel

MINIMUM_COSINE = 0.999
"""Lowest cosine to the source, in float32, that an export may have on any sample."""


def export_model(
    source: str,
    target: Path,
    *,
    name: str | None = None,
    license: str = "",
    image_size: int | None = None,
    minimum_cosine: float = MINIMUM_COSINE,
) -> ParityReport:
    """Write the open_clip model ``source`` as a model folder at ``target``.

    The folder is written only after both towers, run by OpenVINO in float32, reproduced open_clip's
    own embeddings of sample pictures and texts.

    Args:
        source: ``NAME/TAG``, ``NAME:/path/weights``, ``local-dir:/path`` or ``hf-hub:org/name``.
        target: must not exist.
        name: what the model is called; by default what the source calls it.
        license: licence of the weights, as their publisher states it.
        image_size: side of the pictures, where it is to differ from the model's own.
        minimum_cosine: bound of the parity check.

    Raises:
        ArtifactError: the target exists.
        EncoderError: the source cannot be loaded or exported.
        ParityError: the export does not reproduce its source.
    """
    if target.exists():
        raise ArtifactError(f"{target} exists already; artifacts are immutable, choose a new name")
    try:
        from encoders.open_clip_source import load_open_clip
    except ImportError as error:
        raise require_training_extra(error) from error
    model = load_open_clip(source, image_size=image_size)
    spec = dataclasses.replace(model.spec, name=name or model.spec.name, license=license)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export.") as staging:
        staged, report = _stage(model, spec, Path(staging), minimum_cosine=minimum_cosine)
        report.check()
        files: dict[str, Path | bytes] = {
            file: staged.path / file for file in staged.manifest.files if file != SPEC_NAME
        }
        files[CARD_NAME] = model_card(spec, report, text_tower=_own_tower(model)).encode()
        write_model_folder(target, spec, files)
    return report


def model_card(spec: ModelSpec, report: ParityReport, *, text_tower: str = "") -> str:
    """Return the text of ``MODEL_CARD.md`` for an exported model.

    ``text_tower`` is the kind of a text tower that open_clip does not have, empty for its own.
    """
    loads = f"no, its text tower is Sightline's `{text_tower}`" if text_tower else "yes"
    return "\n".join(
        [
            f"# {spec.name}",
            "",
            f"- encoder id: `{encoder_id(spec)}`",
            f"- source: `{spec.source}`",
            f"- licence: {spec.license or 'not stated; see the publisher of the weights'}",
            f"- embeddings: {spec.dim} dimensions",
            f"- pictures: {spec.preprocessing.image_size} pixels square",
            f"- texts: {spec.text.context_length} tokens at most",
            f"- can be loaded by open_clip as `local-dir:`: {loads}",
            f"- lowest cosine to the source, images: {report.lowest('image'):.6f}",
            f"- lowest cosine to the source, texts: {report.lowest('text'):.6f}",
            "",
        ]
    )


def _own_tower(model: OpenClipModel) -> str:
    """Return the kind of a text tower that is ours, empty for open_clip's."""
    from encoders.torch_text_towers import TOWER_KEY

    model_cfg = model.config["model_cfg"]
    text_cfg = model_cfg["text_cfg"] if isinstance(model_cfg, dict) else None
    return str(text_cfg.get(TOWER_KEY) or "") if isinstance(text_cfg, dict) else ""


def _stage(
    model: OpenClipModel, spec: ModelSpec, staging: Path, *, minimum_cosine: float
) -> tuple[ModelFolder, ParityReport]:
    """Write a folder beside the target and compare it with the source."""
    from encoders.open_clip_reference import reference_images, reference_texts

    pictures = sample_pictures()
    # Before the export, which replaces the attention inside the model.
    images_ND, texts_ND = reference_images(model, pictures), reference_texts(model, SAMPLE_TEXTS)
    staged = write_model_folder(staging / "model", spec, _files(model, staging))
    encoder = OpenVINOEncoder(staged)
    report = compare(
        encoder,
        pictures=pictures,
        texts=SAMPLE_TEXTS,
        images_ND=images_ND,
        texts_ND=texts_ND,
        minimum_cosine=minimum_cosine,
    )
    encoder.close()
    return staged, report


def _files(model: OpenClipModel, staging: Path) -> dict[str, Path | bytes]:
    """Write the towers and weights, and return all files of the folder by name."""
    from encoders.torch_onnx import write_image_onnx, write_text_onnx, write_weights

    write_image_onnx(model, staging / IMAGE_ONNX_NAME)
    write_text_onnx(model, staging / TEXT_ONNX_NAME)
    files: dict[str, Path | bytes] = {path.name: path for path in staging.glob("*.onnx*")}
    files[TOKENIZER_NAME] = model.definition
    write_weights(model, staging / OPEN_CLIP_WEIGHTS_NAME)
    files[OPEN_CLIP_WEIGHTS_NAME] = staging / OPEN_CLIP_WEIGHTS_NAME
    files[OPEN_CLIP_CONFIG_NAME] = json.dumps(model.config, indent=2).encode()
    return files
