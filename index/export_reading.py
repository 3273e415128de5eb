"""An exported gallery back into a gallery: ids, captions, metadata, vectors, pictures.

# N = rows of a part, D = embedding dimension
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.artifacts import MANIFEST_NAME, Manifest, read_manifest, sha256_bytes, verify_files
from core.errors import ArtifactError, EncoderMismatchError
from core.progress import ProgressFactory, silent
from core.types import FloatArray
from encoders.encoder import Encoder
from index.adding import NewImage
from index.collection import Collection
from index.export import EXPORT_KIND, EXPORT_VERSION
from index.export_tables import ExportedItem, read_table
from index.gallery import Gallery
from index.items import NewItem
from index.judgement_files import JUDGEMENTS_NAME, read_judgements
from index.media import MediaStore

_COPYING_THREADS = 8
_Block = tuple[list[ExportedItem], FloatArray]


@dataclass(slots=True)
class ExportImport:
    """What became of the rows."""

    counts: Counter[str] = field(default_factory=Counter)
    """Items by status."""
    without_picture: list[str] = field(default_factory=list)
    """Items that were stored, but whose picture is neither in the export nor at its source."""
    errors: list[tuple[str, str]] = field(default_factory=list)
    """Id and reason of what could not be embedded again."""


def is_export(folder: Path) -> bool:
    """Return whether a folder claims to be an exported gallery."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        manifest = json.loads((folder / MANIFEST_NAME).read_bytes())
        return bool(manifest.get("kind") == EXPORT_KIND)
    return False


def read_export(folder: Path) -> Manifest:
    """Return the manifest of an export whose files are all whole.

    Raises:
        ArtifactError: not an export, or one of a newer release.
        IntegrityError: a file is missing or damaged.
    """
    manifest = read_manifest(folder, kind=EXPORT_KIND, format_version=EXPORT_VERSION)
    verify_files(folder, manifest)
    return manifest


def import_export(
    folder: Path, target: Path, *, encoder_id: str | None, progress: ProgressFactory = silent
) -> ExportImport:
    """Store the items of an export with their vectors; nothing is embedded.

    Args:
        folder: of the export.
        target: folder of the gallery, made where there is none.
        encoder_id: of the model that is going to be used; ``None`` for the export's.
        progress: shown while it runs.

    Raises:
        EncoderMismatchError: the vectors are of another model than the gallery's or the given one.
        ArtifactError: not an export, or a damaged one; nothing was stored.
        ConflictError: another process is writing the gallery.
        StorageError: the gallery cannot be written.
    """
    manifest = read_export(folder)
    found, dim = str(manifest.extra["encoder_id"]), int(str(manifest.extra["dim"]))
    if encoder_id not in {None, found}:
        raise EncoderMismatchError(
            f"{folder} holds vectors of encoder {found}, the model is {encoder_id}; name the "
            "export's own model, or embed the pictures again: --re-embed"
        )
    model = manifest.extra["model"]
    done, media = ExportImport(), MediaStore(target)
    with (
        contextlib.closing(
            Collection.open(
                target, encoder_id=found, dim=dim, model=None if model is None else str(model)
            )
        ) as collection,
        progress("importing", total=int(str(manifest.extra["items"])), unit="items") as shown,
        # Each kept picture waits for the disk: together they wait less.
        ThreadPoolExecutor(_COPYING_THREADS) as pool,
    ):
        for rows, vectors_ND in _blocks(folder, manifest, dim=dim):
            kept = pool.map(lambda row: _keep_picture(folder, row, media), rows)
            done.without_picture += [
                row.id for row, is_there in zip(rows, kept, strict=True) if not is_there
            ]
            items = [
                _new_item(row, vector_D) for row, vector_D in zip(rows, vectors_ND, strict=True)
            ]
            done.counts.update(map(str, collection.upsert(items)))
            shown.advance(len(rows))
        _restore_judgements(folder, manifest, collection)
    return done


def embed_export(
    folder: Path,
    target: Path,
    encoder: Encoder,
    *,
    model: str | None,
    progress: ProgressFactory = silent,
) -> ExportImport:
    """Store the items of an export with vectors of another model, made from their pictures.

    Raises:
        EncoderMismatchError: the gallery is filled and bound to another model.
        ArtifactError: not an export, or a damaged one; nothing was stored.
        ConflictError: another process is writing the gallery.
        StorageError: the gallery cannot be written.
    """
    manifest = read_export(folder)
    done = ExportImport()
    with (
        Gallery.open(target, encoder, model=model) as gallery,
        progress("embedding", total=int(str(manifest.extra["items"])), unit="items") as shown,
    ):
        for rows, _ in _blocks(folder, manifest, dim=int(str(manifest.extra["dim"]))):
            images = [
                NewImage(
                    data,
                    id=row.id,
                    caption=row.caption,
                    metadata=json.loads(row.metadata),
                    source=row.source,
                    copy=is_copy,
                )
                for row in rows
                if (data := _picture(folder, row)) is not None
                for is_copy in [_is_inside(row)]
            ]
            known = {image.id for image in images}
            done.without_picture += [row.id for row in rows if row.id not in known]
            for result in gallery.add(images):
                done.counts[str(result.status)] += 1
                if result.error is not None:
                    done.errors.append((str(result.id), str(result.error)))
            shown.advance(len(rows))
        _restore_judgements(folder, manifest, gallery.collection)
    return done


def _restore_judgements(folder: Path, manifest: Manifest, collection: Collection) -> None:
    """Store the marks of the export, each of the picture that it was made of."""
    if JUDGEMENTS_NAME in manifest.files:
        for change in read_judgements(folder / JUDGEMENTS_NAME):
            collection.write(change)


def _blocks(folder: Path, manifest: Manifest, *, dim: int) -> Iterator[_Block]:
    tables = [name for name in manifest.files if name.startswith("metadata/")]
    for name in sorted(tables, key=lambda name: (len(name), name)):
        number = Path(name).stem.removeprefix("metadata_")
        matrix = folder / "img_emb" / f"img_emb_{number}.npy"
        try:
            vectors_ND = np.load(matrix, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{matrix} is not a readable matrix: {error}") from error
        first = 0
        for rows in read_table(folder / name):
            block_ND = np.array(vectors_ND[first : first + len(rows)], np.float32)
            if block_ND.shape != (len(rows), dim):
                raise ArtifactError(f"{matrix} and {name} do not belong together")
            first += len(rows)
            yield rows, block_ND


def _new_item(row: ExportedItem, vector_D: FloatArray) -> NewItem:
    return NewItem(
        id=row.id,
        vector_D=vector_D,
        digest=row.digest,
        caption=row.caption,
        metadata=json.loads(row.metadata),
        source=row.source,
    )


def _keep_picture(folder: Path, row: ExportedItem, media: MediaStore) -> bool:
    """Copy the picture of a row where the export holds it; return whether it can be shown."""
    if _is_inside(row):
        data = _picture(folder, row)
        if data is not None:
            media.keep_image(row.digest, data)
            return True
    return media.holds_image(row.digest) or bool(row.source and Path(row.source).is_file())


def _picture(folder: Path, row: ExportedItem) -> bytes | None:
    """Return the bytes of a picture, ``None`` where it is gone or another one now."""
    path = folder / row.image_path if _is_inside(row) else Path(row.source or "")
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if sha256_bytes(data) == row.digest else None


def _is_inside(row: ExportedItem) -> bool:
    return row.image_path.startswith("images/") and ".." not in Path(row.image_path).parts
