"""Folders of embeddings that clip-retrieval wrote: matrices and, row by row beside them, metadata.

    img_emb/img_emb_0.npy   metadata/metadata_0.parquet   text_emb/text_emb_0.npy (optional)

# N = rows of a block, D = embedding dimension
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ArtifactError
from core.pairs.arrow_columns import pyarrow_module
from core.pairs.columns import CAPTION_COLUMNS
from core.pairs.values import scalars_of
from core.types import FloatArray, JSONObject

IMAGES, TEXTS, METADATA = "img_emb", "text_emb", "metadata"
_NUMBER = re.compile(r"(\d+)$")
_PATH_COLUMNS = ("image_path", "image_file", "path", "filepath")
_UNSTORED = frozenset({"exif", *CAPTION_COLUMNS})
_FLOATS = frozenset({np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)})


@dataclass(frozen=True, slots=True)
class Row:
    """What the metadata say of one image."""

    path: str
    """As it was when the embeddings were made; empty where there is none."""
    caption: str
    metadata: JSONObject


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a part, in order."""

    first: int
    """Place of the first row within its part."""
    images_ND: FloatArray
    texts_ND: FloatArray | None
    """Embeddings of the captions, where there are any."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One matrix and what lies beside it; the numbers of rows agree."""

    images: Path
    metadata: Path
    texts: Path | None
    rows: int
    dim: int

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield the rows in blocks; only one of them is in memory.

        Raises:
            ArtifactError: the metadata cannot be read.
        """
        images_ND = _matrix(self.images)
        texts_ND = None if self.texts is None else _matrix(self.texts)
        first = 0
        for rows in _metadata_blocks(self.metadata, size):
            place = slice(first, first + len(rows))
            yield Block(
                first,
                np.array(images_ND[place], np.float32),
                None if texts_ND is None else np.array(texts_ND[place], np.float32),
                rows,
            )
            first += len(rows)


def read_clip_retrieval(folder: Path) -> tuple[Part, ...]:
    """Return the parts of a folder in order of their number, each checked for alignment.

    Raises:
        ArtifactError: there are no embeddings, a part lacks its metadata, or the numbers of rows
            or columns differ; nothing can tell then which row belongs to which image.
        ConfigError: ``pyarrow`` is not installed.
    """
    images = _numbered(folder / IMAGES, ".npy")
    metadata = _numbered(folder / METADATA, ".parquet")
    texts = _numbered(folder / TEXTS, ".npy")
    if not images:
        raise ArtifactError(f"{folder} holds no {IMAGES}/{IMAGES}_0.npy as clip-retrieval writes")
    if images.keys() != metadata.keys() or (texts and texts.keys() != images.keys()):
        raise ArtifactError(
            f"{folder}: {IMAGES} has the parts {_listed(images)}, {METADATA} {_listed(metadata)}"
            + (f", {TEXTS} {_listed(texts)}" if texts else "")
            + "; each part needs all of them"
        )
    parts = tuple(
        _part(images[number], metadata[number], texts.get(number)) for number in sorted(images)
    )
    dims = {part.dim for part in parts}
    if len(dims) > 1:
        raise ArtifactError(f"{folder}: parts have different dimensions, {sorted(dims)}")
    return parts


def _part(images: Path, metadata: Path, texts: Path | None) -> Part:
    rows, dim = _matrix(images).shape
    parquet = pyarrow_module("pyarrow.parquet")
    try:
        described = int(parquet.read_metadata(metadata).num_rows)
    except (OSError, pyarrow_module("pyarrow").ArrowException) as error:
        raise ArtifactError(f"{metadata} is not a readable Parquet file: {error}") from error
    counts = {images: rows, metadata: described}
    if texts is not None:
        counts[texts] = len(_matrix(texts))
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{path.name} has {count}" for path, count in counts.items())
        raise ArtifactError(
            f"rows and metadata do not belong together: {listed} rows; make the folder again"
        )
    return Part(images, metadata, texts, rows, dim)


def _matrix(path: Path) -> NDArray[np.floating]:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path} is not a readable matrix: {error}") from error
    if matrix.ndim != 2 or matrix.dtype not in _FLOATS:  # noqa: PLR2004 - rows and columns
        raise ArtifactError(
            f"{path} holds {matrix.dtype} of shape {matrix.shape}; expected rows of floats"
        )
    found: NDArray[np.floating] = matrix
    return found


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(f"*{suffix}")):
        number = _NUMBER.search(path.stem)
        if number is not None:
            found[int(number[1])] = path
    return found


def _listed(parts: Mapping[int, Path]) -> str:
    return ", ".join(map(str, sorted(parts))) or "none"


def _metadata_blocks(path: Path, size: int) -> Iterator[tuple[Row, ...]]:
    try:
        with pyarrow_module("pyarrow.parquet").ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=size):
                yield tuple(_row(fields) for fields in batch.to_pylist())
    except (OSError, pyarrow_module("pyarrow").ArrowException) as error:
        raise ArtifactError(f"{path} is not a readable Parquet file: {error}") from error


def _row(fields: Mapping[str, object]) -> Row:
    path = next((fields[name] for name in _PATH_COLUMNS if fields.get(name)), "")
    caption = next((fields[name] for name in CAPTION_COLUMNS if fields.get(name)), "")
    others = [name for name in fields if name not in _UNSTORED]
    return Row(
        path=path if isinstance(path, str) else "",
        caption=caption.strip() if isinstance(caption, str) else "",
        metadata=scalars_of(fields, others),
    )
