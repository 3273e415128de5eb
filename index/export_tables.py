"""The table of an exported gallery: one row an item, as Parquet or as lines of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from core.errors import ArtifactError
from core.pairs.arrow_columns import pyarrow_module
from core.types import JSONObject

TableFormat = Literal["parquet", "jsonl"]

_ROWS_AT_ONCE = 1024
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ExportedItem:
    """What the table says of an item; its vector is the same row of the matrix."""

    id: str
    image_path: str
    """Of the picture: below the export where it was copied, else where it was added from; empty
    where it is nowhere."""
    caption: str
    metadata: str
    """As JSON text, so that nested values and types stay."""
    digest: str
    """sha256 of the picture's bytes."""
    source: str | None
    """Where the picture was added from."""


def write_table(path: Path, rows: Sequence[ExportedItem]) -> None:
    """Write rows in the format of the path's suffix.

    Raises:
        ConfigError: Parquet without ``pyarrow``.
    """
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                fields = {**asdict(row), "metadata": json.loads(row.metadata)}
                file.write(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")
        return
    arrow, parquet = pyarrow_module("pyarrow"), pyarrow_module("pyarrow.parquet")
    names = ("id", "image_path", "caption", "metadata", "digest", "source")
    schema = arrow.schema([(name, arrow.string()) for name in names])
    parquet.write_table(arrow.Table.from_pylist([asdict(row) for row in rows], schema), path)


def read_table(path: Path) -> Iterator[list[ExportedItem]]:
    """Yield the rows in blocks, in order.

    Raises:
        ArtifactError: rows that are not those of an export.
        ConfigError: Parquet without ``pyarrow``.
    """
    blocks = _lines(path) if path.suffix == ".jsonl" else _batches(path)
    try:
        for block in blocks:
            yield [_item(fields) for fields in block]
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is no table of an export: {error!r}") from error


def _lines(path: Path) -> Iterator[list[JSONObject]]:
    block: list[JSONObject] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            block.append({**fields, "metadata": json.dumps(fields["metadata"])})
            if len(block) == _ROWS_AT_ONCE:
                yield block
                block = []
    yield block


def _batches(path: Path) -> Iterator[list[JSONObject]]:
    with pyarrow_module("pyarrow.parquet").ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            yield batch.to_pylist()


def _item(fields: JSONObject) -> ExportedItem:
    source, digest = fields["source"], str(fields["digest"])
    # It becomes the name of a file.
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError(f"{digest[:80]!r} is no sha256")
    return ExportedItem(
        id=str(fields["id"]),
        image_path=str(fields["image_path"]),
        caption=str(fields["caption"]),
        metadata=str(fields["metadata"]),
        digest=digest,
        source=None if source is None else str(source),
    )
