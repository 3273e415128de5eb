"""A gallery in open formats: matrices, a table, pictures; readable by any tool.

    manifest.json                   kind, encoder id, sha256 of every file
    img_emb/img_emb_0.npy           float32 (N, D), row by row
    metadata/metadata_0.parquet     id, image_path, caption, metadata, digest, source
    images/ab/ab12....jpg           the pictures, where asked for
    judgements.jsonl                the marks of judged queries, where there are any

With Parquet these are the names of clip-retrieval, so its tools and ours read the folder.

# N = rows of a part, D = embedding dimension
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.artifacts import new_artifact
from core.errors import NotFoundError
from core.progress import Progress, ProgressFactory, silent
from core.types import FloatArray, IdArray, JSONObject
from index.binding import read_binding
from index.export_tables import ExportedItem, TableFormat, write_table
from index.items import Item, encode_metadata
from index.judgement_files import JUDGEMENTS_NAME, write_judgements
from index.media import MediaStore
from index.schema import storage_errors
from index.store import StoreReader

EXPORT_KIND = "gallery-export"
EXPORT_VERSION = 1
_ROWS_OF_A_PART = 65_536


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export holds."""

    items: int
    pictures: int
    damaged: tuple[str, ...]
    """Items that are left out, because their vector is damaged."""
    without_picture: tuple[str, ...]
    """Items whose picture was asked for and is gone."""


def export_gallery(
    folder: Path,
    target: Path,
    *,
    table: TableFormat = "parquet",
    images: bool = False,
    progress: ProgressFactory = silent,
) -> ExportSummary:
    """Write the gallery in ``folder`` as the new folder ``target``; one state, whoever writes.

    Args:
        folder: of the gallery.
        target: appears when everything in it is complete.
        table: format of the metadata; ``jsonl`` needs no further package.
        images: copy the pictures too.
        progress: shown while it runs.

    Raises:
        ArtifactError: ``target`` exists already.
        NotFoundError: there is no gallery.
        ConfigError: Parquet without ``pyarrow``.
        StorageError: the gallery cannot be read, or ``target`` not be written.
    """
    extra: JSONObject = {}
    with (
        contextlib.closing(StoreReader(folder)) as store,
        storage_errors(target),
        store.frozen(),
        new_artifact(target, kind=EXPORT_KIND, format_version=EXPORT_VERSION, extra=extra) as fresh,
        progress("exporting", total=store.count(), unit="items") as shown,
    ):
        binding = read_binding(store)
        writing = _Writing(fresh, store, MediaStore(folder), images=images, shown=shown)
        row_ids_N = store.row_ids()
        for part, start in enumerate(range(0, max(1, len(row_ids_N)), _ROWS_OF_A_PART)):
            writing.write_part(
                part, row_ids_N[start : start + _ROWS_OF_A_PART], dim=binding.dim, table=table
            )
        summary = writing.summary()
        write_judgements(store, fresh / JUDGEMENTS_NAME)
        extra |= {
            "encoder_id": binding.encoder_id,
            "dim": binding.dim,
            "model": binding.model,
            "items": summary.items,
            "damaged": list(summary.damaged),
        }
    return summary


class _Writing:
    """One export on its way to the disk."""

    def __init__(
        self, target: Path, store: StoreReader, media: MediaStore, *, images: bool, shown: Progress
    ) -> None:
        self._target = target
        self._store = store
        self._media = media
        self._images = images
        self._shown = shown
        self._items = 0
        self._written: dict[str, str] = {}
        self._damaged: list[str] = []
        self._without: list[str] = []

    def write_part(self, part: int, row_ids_N: IdArray, *, dim: int, table: TableFormat) -> None:
        """Write one matrix with its table."""
        vectors: list[FloatArray] = [np.empty((0, dim), np.float32)]
        rows: list[ExportedItem] = []
        for block in self._store.vectors(row_ids_N, dim=dim):
            vectors.append(block.vectors_ND)
            self._damaged += [name for _, name in block.damaged]
            rows += self._rows(block.row_ids_N)
            self._shown.advance(len(block.row_ids_N))
        for name in ("img_emb", "metadata"):
            (self._target / name).mkdir(exist_ok=True)
        np.save(self._target / "img_emb" / f"img_emb_{part}.npy", np.concatenate(vectors))
        write_table(self._target / "metadata" / f"metadata_{part}.{table}", rows)
        self._items += len(rows)

    def summary(self) -> ExportSummary:
        """Return what was written."""
        return ExportSummary(
            self._items, len(self._written), tuple(self._damaged), tuple(self._without)
        )

    def _rows(self, row_ids_N: IdArray) -> Iterator[ExportedItem]:
        rows = row_ids_N.tolist()
        items = self._store.items_of_rows(rows)
        for row_id in rows:
            item = items[row_id]
            yield ExportedItem(
                id=item.id,
                image_path=self._picture(item) if self._images else item.source or "",
                caption=item.caption,
                metadata=encode_metadata(item.metadata),
                digest=item.digest,
                source=item.source,
            )

    def _picture(self, item: Item) -> str:
        """Copy the picture of an item, once for equal ones; return its path, or where it was."""
        if item.digest in self._written:
            return self._written[item.digest]
        try:
            data = self._media.image(item)
        except NotFoundError:
            self._without.append(item.id)
            return item.source or ""
        name = f"images/{item.digest[:2]}/{item.digest}{picture_suffix(data)}"
        path = self._target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._written[item.digest] = name
        return name


def picture_suffix(data: bytes) -> str:
    """Return the ending of a picture's file name, ``.jpg``; empty where it is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = (image.format or "").lower()
    except OSError:
        return ""
    return {"": "", "jpeg": ".jpg"}.get(kind, f".{kind}")
