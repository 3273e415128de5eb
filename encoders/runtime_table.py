"""``runtime.json`` of a model folder: what was measured on one machine, and what it chose.

Optional, and no part of the encoder id: only precisions whose embeddings passed the gate
(``evaluation.runtime_fidelity``) are ever chosen. A quantised image tower stands beside it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from core.artifacts import read_json
from core.config import from_mapping
from core.errors import ArtifactError, ConfigError, IntegrityError
from core.types import JSONObject
from encoders.folder import (
    IMAGE_INT8_NAMES,
    RUNTIME_NAME,
    SPEC_NAME,
    ModelFolder,
    write_model_folder,
)
from encoders.machine import Machine
from encoders.tower_plan import Precision, RuntimePlan

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far the embeddings of a precision are from those of float32, on the user's own pairs."""

    image_cosine_mean: float
    """Over pictures that the quantised tower was not calibrated on."""
    image_cosine_min: float
    text_cosine_mean: float
    text_cosine_min: float
    hit_at_10: float
    """Share of captions whose picture is among the first ten, images and texts in the precision."""
    hit_at_10_mixed: float
    """The same in a gallery where every other picture was embedded in float32."""
    hit_at_10_float32: float
    pictures: int
    captions: int


@dataclass(frozen=True, slots=True)
class Variant:
    """What was measured of one precision."""

    precision: Precision
    passed: bool
    """Whether the gate lets it be chosen."""
    reason: str
    """Why it did not pass; empty where it did."""
    fidelity: Fidelity | None
    """``None`` for float32, and for what could not be made."""
    plan: RuntimePlan | None
    """The quickest ways found to run it, with their times; ``None`` where it was not timed."""


@dataclass(frozen=True, slots=True)
class RuntimeTable:
    """What ``sightline models tune`` found out."""

    encoder_id: str
    machine: Machine
    made_at: str
    """Date and time in UTC, ISO 8601."""
    source: str
    """The pairs it was measured with."""
    variants: tuple[Variant, ...]
    chosen: RuntimePlan
    """Quickest of what passed: for one item and for many."""

    def plan_for(self, precision: Precision) -> RuntimePlan | None:
        """Return the measured plan of a precision, ``None`` where there is none."""
        return next((row.plan for row in self.variants if row.precision == precision), None)


def read_runtime_table(folder: ModelFolder) -> RuntimeTable | None:
    """Return the table of a verified model folder, ``None`` where it has none.

    Raises:
        ArtifactError: a version that this release does not know, or content that is no table.
        IntegrityError: it was made for another encoder.
    """
    if RUNTIME_NAME not in folder.manifest.files:
        return None
    path = folder.path / RUNTIME_NAME
    fields = dict(read_json(path))
    version = fields.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format version {version!r}; this release reads {FORMAT_VERSION}. Tune the "
            "model again with this release"
        )
    try:
        table = from_mapping(RuntimeTable, fields, where=str(path))
    except ConfigError as error:
        raise ArtifactError(f"{error}; tune the model again") from error
    if table.encoder_id != folder.encoder_id:
        raise IntegrityError(
            f"{path} was made for encoder {table.encoder_id}, the folder holds "
            f"{folder.encoder_id}; tune the model again"
        )
    return table


def write_tuned(
    folder: ModelFolder, target: Path, table: RuntimeTable, *, int8: Mapping[str, Path] | None
) -> ModelFolder:
    """Write a copy of a model folder with a table, in place of the one it may have.

    Args:
        folder: what to copy.
        target: must not exist.
        table: made for this encoder.
        int8: the two files of a quantised image tower that passed the gate.

    Raises:
        ArtifactError: ``target`` exists.
        IntegrityError: the table was made for another encoder.
    """
    if table.encoder_id != folder.encoder_id:
        raise IntegrityError(
            f"a table for encoder {table.encoder_id} cannot go into a folder of "
            f"{folder.encoder_id}; tune the model itself"
        )
    made = {SPEC_NAME, RUNTIME_NAME, *IMAGE_INT8_NAMES}
    files: dict[str, Path | bytes] = {
        name: folder.path / name for name in folder.manifest.files if name not in made
    }
    return write_model_folder(
        target, folder.spec, {**files, **(int8 or {}), RUNTIME_NAME: table_bytes(table)}
    )


def table_bytes(table: RuntimeTable) -> bytes:
    """Return the content of ``runtime.json``."""
    text = json.dumps(table_json(table), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def table_json(table: RuntimeTable) -> JSONObject:
    """Return the table as strict JSON."""
    return cast("JSONObject", {"format_version": FORMAT_VERSION, **dataclasses.asdict(table)})
