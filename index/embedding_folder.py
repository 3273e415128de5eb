"""Folders of embeddings in clip-retrieval's format, written part by part; a killed run goes on.

    img_emb/img_emb_0.npy   text_emb/text_emb_0.npy   metadata/metadata_0.parquet
    skipped/skipped_0.jsonl (what is not in the part, and why)   embedding.json (the record)

# N = rows of a part, D = embedding dimension
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.artifacts import read_json, write_atomic, write_json
from core.errors import ArtifactError, ConflictError
from core.pairs.arrow_columns import pyarrow_module
from core.pairs.pair import Pair
from core.types import JSONObject, JSONValue
from index.clip_retrieval import IMAGES, METADATA, TEXTS
from index.schema import storage_errors
from index.sources import source_of

Precision = Literal["float16", "float32"]
Matrix: TypeAlias = NDArray[np.floating]

RECORD = "embedding.json"
SKIPPED = "skipped"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """What decides every byte of the folder: another run goes on only with an equal one."""

    encoder_id: str
    pairs: int
    """Pairs of the source."""
    pairs_digest: str
    """sha256 of the places of their images, and their captions, in order."""
    part_items: int
    """Pairs of a part."""
    images: bool
    captions: bool
    precision: Precision

    @property
    def parts(self) -> int:
        """How many parts there will be."""
        return -(-self.pairs // self.part_items)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A pair, or a row of the source, that has no embedding."""

    place: str
    """Id of the pair, or what the source calls the row."""
    path: str
    """Of the image; empty where the source does not say."""
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class EmbeddedPart:
    """The rows of one part, in order of the source."""

    pairs: Sequence[Pair]
    images_ND: Matrix | None
    texts_ND: Matrix | None
    skipped: Sequence[Skipped]


class EmbeddingFolder:
    """A folder that is being filled, and its record of finished parts."""

    def __init__(self, folder: Path, plan: EmbeddingPlan) -> None:
        """Make the folder, or go on with what an equal plan left there.

        Raises:
            ConflictError: it holds something else.
            ArtifactError: its record cannot be read.
            StorageError: it cannot be written.
        """
        self.folder = folder
        self.plan = plan
        self.finished: list[tuple[int, int]] = []
        """Rows and skipped pairs of each finished part, from part 0 on."""
        if (folder / RECORD).exists():
            self._go_on(read_json(folder / RECORD))
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConflictError(
                f"{folder} holds something already, and no {RECORD} of an earlier run; name a new "
                "folder"
            )
        else:
            self._record()

    def write_part(self, part: EmbeddedPart) -> None:
        """Write the next part; it counts as finished once all its files are on the disk.

        Raises:
            StorageFullError: the disk is full; finished parts stay.
            StorageError: a file cannot be written.
        """
        number = str(len(self.finished)).zfill(len(str(self.plan.parts)))
        with storage_errors(self.folder):
            if part.pairs:
                for name, rows_ND in ((IMAGES, part.images_ND), (TEXTS, part.texts_ND)):
                    if rows_ND is not None:
                        path = self.folder / name / f"{name}_{number}.npy"
                        write_atomic(path, _matrix_bytes(rows_ND))
                path = self.folder / METADATA / f"{METADATA}_{number}.parquet"
                write_atomic(path, _table_bytes(part.pairs))
            if part.skipped:
                self._write_skipped(number, part.skipped)
        self.finished.append((len(part.pairs), len(part.skipped)))
        self._record()

    def write_skipped_source(self, skipped: Mapping[str, str]) -> None:
        """Write down the rows that the source names but cannot give.

        Raises:
            StorageError: the file cannot be written.
        """
        if not skipped:
            return
        rows = [Skipped(place, "", "invalid_pairs", reason) for place, reason in skipped.items()]
        with storage_errors(self.folder):
            self._write_skipped("source", rows)

    def _write_skipped(self, name: str, skipped: Sequence[Skipped]) -> None:
        lines = [json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in skipped]
        data = "".join(lines).encode(errors="backslashreplace")
        write_atomic(self.folder / SKIPPED / f"{SKIPPED}_{name}.jsonl", data)

    def _record(self) -> None:
        with storage_errors(self.folder):
            write_json(
                self.folder / RECORD,
                {
                    "format_version": _FORMAT_VERSION,
                    "plan": asdict(self.plan),
                    "finished": [list(counts) for counts in self.finished],
                },
            )

    def _go_on(self, record: JSONObject) -> None:
        theirs, finished = record.get("plan"), record.get("finished")
        if not isinstance(theirs, dict) or not isinstance(finished, list):
            raise ArtifactError(f"{self.folder / RECORD} is no record of embeddings")
        ours = asdict(self.plan)
        other = [name for name in ours if theirs.get(name) != ours[name]]
        if other or record.get("format_version") != _FORMAT_VERSION:
            named = ", ".join(f"{name} {theirs.get(name)!r}, now {ours[name]!r}" for name in other)
            raise ConflictError(
                f"{self.folder} was begun with another source, model or options ({named}); repeat "
                "the command that began it, or name a new folder"
            )
        self.finished = [_counts(counts, self.folder) for counts in finished]


def _counts(value: JSONValue, folder: Path) -> tuple[int, int]:
    match value:
        case [int(rows), int(skipped)]:
            return rows, skipped
    raise ArtifactError(f"{folder / RECORD} is no record of embeddings: {value!r}")


def joined(parts: Sequence[EmbeddedPart]) -> EmbeddedPart:
    """Return several pieces of a part, in order, as one."""
    images = [part.images_ND for part in parts if part.images_ND is not None]
    texts = [part.texts_ND for part in parts if part.texts_ND is not None]
    return EmbeddedPart(
        pairs=[pair for part in parts for pair in part.pairs],
        images_ND=np.concatenate(images) if images else None,
        texts_ND=np.concatenate(texts) if texts else None,
        skipped=[one for part in parts for one in part.skipped],
    )


def _matrix_bytes(rows_ND: Matrix) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, rows_ND, allow_pickle=False)
    return buffer.getvalue()


def _table_bytes(pairs: Sequence[Pair]) -> bytes:
    """Return the metadata as Parquet: the columns that clip-retrieval reads, then all others."""
    arrow, parquet = pyarrow_module("pyarrow"), pyarrow_module("pyarrow.parquet")
    columns: dict[str, list[JSONValue]] = {
        "image_path": [_storable(source_of(pair.image)) for pair in pairs],
        "caption": [pair.captions[0] if pair.captions else "" for pair in pairs],
    }
    if any(_stated_id(pair) is not None for pair in pairs):
        columns["id"] = [_stated_id(pair) for pair in pairs]
    if any(len(pair.captions) > 1 for pair in pairs):
        columns["captions"] = [list(pair.captions) for pair in pairs]
    if any(pair.label is not None for pair in pairs):
        columns["label"] = [pair.label for pair in pairs]
    for name in {name: None for pair in pairs for name in pair.metadata}:
        if name not in columns:
            columns[name] = _column([pair.metadata.get(name) for pair in pairs])
    sink = io.BytesIO()
    parquet.write_table(arrow.table(columns), sink)
    return sink.getvalue()


def _stated_id(pair: Pair) -> str | None:
    """Return an id that the source states; one that stands in for it is the end of the path."""
    image = pair.image
    if isinstance(image, Path):
        stands_in = str(image).endswith(pair.id)
    else:
        stands_in = pair.id.startswith(f"{image.container.name}!")
    return None if stands_in else _storable(pair.id)


def _column(values: list[JSONValue]) -> list[JSONValue]:
    """Return values that a column can hold: of one plain kind as they are, others as JSON text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1 and kinds <= {str, bool, int, float}:
        return values
    return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]


def _storable(text: str) -> str:
    """Return a text as valid UTF-8, which the name of a file need not be."""
    return text.encode(errors="backslashreplace").decode()
