"""Embeddings that clip-retrieval made, into a gallery of the same model: nothing is embedded again.

# N = rows of a block, D = embedding dimension
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.artifacts import sha256_bytes, sha256_file
from core.errors import EncoderMismatchError, SightlineError, UsageError
from core.progress import ProgressFactory, silent
from core.types import FloatArray, JSONObject
from index.adding import default_id
from index.clip_retrieval import Block, Part, Row, read_clip_retrieval
from index.gallery import Gallery
from index.import_check import SpotCheck, check_model, file_of
from index.items import FileStamp, NewItem, check_caption, encode_metadata
from index.sources import stamp_of

_ROWS_AT_ONCE = 1024
_HASHING_THREADS = 4
_MOST_OFF_UNIT = 0.02
"""Half precision moves the length of a vector by less."""


@dataclass(slots=True)
class ImportSummary:
    """What became of the rows."""

    checked: SpotCheck
    counts: Counter[str] = field(default_factory=Counter)
    """By status: created, updated, unchanged, error."""
    with_file: int = 0
    """Rows whose picture was found on this machine."""
    errors: list[JSONObject] = field(default_factory=list)
    """Place and reason of each row that cannot be stored."""


def import_clip_retrieval(
    gallery: Gallery,
    folder: Path,
    *,
    image_root: Path | None = None,
    progress: ProgressFactory = silent,
) -> ImportSummary:
    """Store every row of the folder; the same call again changes nothing.

    A picture that is found at its recorded path is hashed, so that its item is the one that
    ``add`` would make; other rows become items without a picture.

    Args:
        gallery: of the model that made the embeddings.
        folder: with ``img_emb`` and ``metadata``.
        image_root: folder that relative paths of pictures start from; default: ``folder``.
        progress: shows the rows.

    Raises:
        ArtifactError: rows and metadata do not fit together.
        EncoderMismatchError: the embeddings are of another model; nothing was stored.
        StorageError: the gallery cannot be written.
    """
    parts = read_clip_retrieval(folder)
    root = image_root or folder
    _check_vectors(parts, dim=gallery.encoder.dim)
    summary = ImportSummary(check_model(gallery.encoder, parts, root, limits=gallery.limits))
    total = sum(part.rows for part in parts)
    with (
        ThreadPoolExecutor(_HASHING_THREADS, thread_name_prefix="hash") as pool,
        progress("importing", total=total, unit="images") as display,
    ):
        for part in parts:
            for block in part.blocks(_ROWS_AT_ONCE):
                found = list(pool.map(lambda row: _picture(row, root), block.rows))
                items = list(_items(gallery, part, block, found, summary))
                for status in gallery.collection.upsert(items):
                    summary.counts[status.value] += 1
                display.advance(len(block.rows))
    return summary


@dataclass(frozen=True, slots=True)
class _Picture:
    digest: str
    stamp: FileStamp


def _picture(row: Row, root: Path) -> _Picture | None:
    path = file_of(row, root)
    if path is None:
        return None
    try:
        stamp = stamp_of(path)
        return _Picture(sha256_file(path), stamp)
    except OSError:
        return None


def _items(
    gallery: Gallery,
    part: Part,
    block: Block,
    found: Sequence[_Picture | None],
    summary: ImportSummary,
) -> Iterator[NewItem]:
    digests = [
        _stand_in(row, vector_D) if picture is None else picture.digest
        for row, vector_D, picture in zip(block.rows, block.images_ND, found, strict=True)
    ]
    ids = _ids(gallery, digests)
    stored = gallery.collection.find(ids)
    units_ND, good_N = _units(block.images_ND)
    for place, row in enumerate(block.rows):
        try:
            if not good_N[place]:
                raise UsageError("its embedding is not of length 1")
            check_caption(row.caption)
            encode_metadata(row.metadata)
        except SightlineError as error:
            where = f"{part.metadata.name}:{block.first + place + 1}"
            summary.counts["error"] += 1
            summary.errors.append({"path": where, "code": error.code, "message": str(error)})
            continue
        picture, item = found[place], stored.get(ids[place])
        summary.with_file += picture is not None
        yield NewItem(
            id=ids[place],
            vector_D=units_ND[place],
            digest=digests[place],
            caption=row.caption or ("" if item is None else item.caption),
            metadata=row.metadata or ({} if item is None else item.metadata),
            source=None if picture is None else picture.stamp.path,
            stamp=None if picture is None else picture.stamp,
        )


def _ids(gallery: Gallery, digests: Sequence[str]) -> list[str]:
    def taken(names: list[str]) -> dict[str, str]:
        return {name: item.digest for name, item in gallery.collection.find(names).items()}

    short = [default_id(digest, lambda _: {}) for digest in digests]
    stored = taken(short)
    return [
        name if stored.get(name, digest) == digest else default_id(digest, taken)
        for name, digest in zip(short, digests, strict=True)
    ]


def _stand_in(row: Row, vector_D: FloatArray) -> str:
    """Return what stands for the digest of a picture that is not here: equal to no picture's."""
    return sha256_bytes(b"clip-retrieval\0" + row.path.encode() + b"\0" + vector_D.tobytes())


def _units(vectors_ND: FloatArray) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the vectors scaled to length 1, and which were nearly so before."""
    lengths_N = np.linalg.norm(vectors_ND.astype(np.float64), axis=1)
    good_N = np.abs(lengths_N - 1) <= _MOST_OFF_UNIT
    scale_N = np.where(good_N, lengths_N, 1.0)
    units_ND: FloatArray = (vectors_ND / scale_N[:, np.newaxis]).astype(np.float32)
    return units_ND, good_N


def _check_vectors(parts: Sequence[Part], *, dim: int) -> None:
    """Refuse another dimension, and matrices that hold no unit vectors."""
    for part in parts:
        if part.dim != dim:
            raise EncoderMismatchError(
                f"{part.images} holds vectors of dimension {part.dim}, the model makes {dim}; name "
                "the model that made them with --model"
            )
        block = next(part.blocks(_ROWS_AT_ONCE), None)
        if block is None:
            continue
        good_N = _units(block.images_ND)[1]
        if not good_N.any():
            raise EncoderMismatchError(
                f"{part.images} holds no vectors of length 1; export normalised embeddings"
            )
