"""A whole gallery in one file, taken while others write it, and brought back.

The file is a plain tar: ``collection.sqlite3``, ``images/``, ``thumbnails/``, ``label-sets/`` and,
last, ``manifest.json`` with the sha256 of each. The database is copied by SQLite's own backup in
one read transaction, so it is one state of the gallery; pictures are named by their content, and
one that the copied database wants but a deletion has taken since makes the copy be taken again.
Snapshots of the index stay out: they are derived.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.artifacts import fsync_path, sha256_bytes, sha256_file
from core.errors import ArtifactError, StorageError
from core.types import JSONObject
from index.backup_reading import BACKUP_KIND, BACKUP_VERSION, MANIFEST_NAME, verify_backup
from index.binding import Binding, binding_of_folder
from index.media import MediaStore
from index.schema import DATABASE_NAME, connect_reader, storage_errors
from index.store import StoreReader

_LABEL_SETS = "label-sets"
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds."""

    items: int
    pictures: int
    """Kept pictures; those that lie outside the gallery are not copied."""
    bytes: int
    """Size of the file."""
    missing: tuple[str, ...]
    """Items whose kept picture was missing or damaged when the backup was taken."""


def write_backup(folder: Path, target: Path) -> BackupSummary:
    """Write the gallery in ``folder`` to the file ``target`` and read it back to verify it.

    Raises:
        ArtifactError: ``target`` exists already.
        NotFoundError: there is no gallery.
        StorageFullError: the disk is full; nothing is left behind.
        StorageError: the gallery cannot be read, or its database is damaged.
        IntegrityError: what was written does not read back.
    """
    if target.exists():
        raise ArtifactError(f"{target} exists already; choose a new name, or remove it first")
    binding = binding_of_folder(folder)
    with storage_errors(target), contextlib.closing(StoreReader(folder)) as store:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as name:
            temporary = Path(name) / "backup.tar"
            with tarfile.open(temporary, "w") as tar:
                _Filling(folder, store, tar, Path(name)).fill(binding)
            fsync_path(temporary)
            manifest = verify_backup(temporary)
            temporary.rename(target)
        fsync_path(target.parent)
    return summary_of(target, manifest)


def summary_of(path: Path, manifest: JSONObject) -> BackupSummary:
    """Return what a backup holds by its manifest, which ``verify_backup`` returned."""
    files, missing = manifest["files"], manifest["missing"]
    assert isinstance(files, dict)
    assert isinstance(missing, list)
    return BackupSummary(
        items=int(str(manifest["items"])),
        pictures=sum(file.startswith("images/") for file in files),
        bytes=path.stat().st_size,
        missing=tuple(map(str, missing)),
    )


class _Filling:
    """One backup on its way into a tar."""

    def __init__(
        self, folder: Path, store: StoreReader, tar: tarfile.TarFile, scratch: Path
    ) -> None:
        self._folder = folder
        self._store = store
        self._tar = tar
        self._copy = scratch / DATABASE_NAME
        self._media = MediaStore(folder)
        self._files: dict[str, str] = {}

    def fill(self, binding: Binding) -> None:
        """Write everything."""
        missing = self._settled_media()
        for path in _label_set_files(self._folder):
            self._put(path.relative_to(self._folder).as_posix(), path.read_bytes())
        self._tar.add(self._copy, DATABASE_NAME)
        self._files[DATABASE_NAME] = sha256_file(self._copy)
        with contextlib.closing(sqlite3.connect(self._copy)) as connection:
            items = connection.execute("SELECT count(*) FROM items").fetchone()[0]
        manifest: JSONObject = {
            "kind": BACKUP_KIND,
            "format_version": BACKUP_VERSION,
            "encoder_id": binding.encoder_id,
            "dim": binding.dim,
            "model": binding.model,
            "items": items,
            "missing": list(missing),
            "files": dict(self._files),
        }
        self._put(MANIFEST_NAME, json.dumps(manifest, indent=2).encode())

    def _settled_media(self) -> tuple[str, ...]:
        """Copy database and pictures until they belong together."""
        for _ in range(_MOST_ROUNDS):
            _copy_database(self._folder, self._copy)
            lacking = dict(self._put_pictures())
            deleted = set(self._store.unreferenced(list(lacking)))
            if not deleted:
                return tuple(sorted(lacking.values()))
        raise StorageError(
            f"{self._folder}: pictures are deleted faster than they can be copied; try again later"
        )

    def _put_pictures(self) -> Iterator[tuple[str, str]]:
        """Write what the copied database wants; yield digest and item of what is not there."""
        with contextlib.closing(sqlite3.connect(self._copy)) as connection:
            rows = connection.execute("SELECT digest, id, source FROM items ORDER BY id").fetchall()
        for digest, name, source in rows:
            for path in self._media.places(digest):
                file = path.relative_to(self._folder).as_posix()
                if file in self._files:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    data = path.read_bytes()
                    if path.suffix or sha256_bytes(data) == digest:
                        self._put(file, data)
            if source is None and f"images/{digest[:2]}/{digest}" not in self._files:
                yield digest, name

    def _put(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
        self._files[name] = sha256_bytes(data)


def _label_set_files(folder: Path) -> list[Path]:
    """Return the files of label sets with their heads and calibrations, which never change.

    Hidden ones are not whole yet, or locks.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder / _LABEL_SETS):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _copy_database(folder: Path, target: Path) -> None:
    """Copy the database as it is at one moment, without its log, and check the copy."""
    target.unlink(missing_ok=True)
    with (
        contextlib.closing(connect_reader(folder)) as source,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("DELETE FROM snapshots")
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StorageError(
            f"{folder / DATABASE_NAME} is damaged: {found}; restore an older backup, or export "
            "what can be read: sightline export"
        )
