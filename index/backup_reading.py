"""Reading a backup: every file against its sha256, and only files that belong into a gallery."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from core.artifacts import fsync_path
from core.errors import ArtifactError, IntegrityError
from core.types import JSONObject
from index.media import MediaStore
from index.schema import DATABASE_NAME, storage_errors
from index.store import StoreReader

BACKUP_KIND = "gallery-backup"
BACKUP_VERSION = 1
MANIFEST_NAME = "manifest.json"
_CHUNK_BYTES = 1 << 20
_MOST_MANIFEST_BYTES = 1 << 30
_DIGEST = "[0-9a-f]{64}"
_PLACES = re.compile(
    rf"{re.escape(DATABASE_NAME)}|images/[0-9a-f]{{2}}/{_DIGEST}"
    rf"|thumbnails/[0-9a-f]{{2}}/{_DIGEST}\.jpg|label-sets(/[^/]+)+"
)


def verify_backup(path: Path) -> JSONObject:
    """Read every byte of a backup and return its manifest.

    Raises:
        ArtifactError: not a backup, or one of a newer release.
        IntegrityError: a file is damaged, missing or unknown; the message names it.
    """
    return _read(path, lambda _, file: _digest(file))


def restore_backup(path: Path, folder: Path) -> JSONObject:
    """Bring the gallery of a backup back as the new folder ``folder``; return the manifest.

    The folder appears only when every file in it has been verified and is durable.

    Raises:
        ArtifactError: ``folder`` exists already, or ``path`` is not a backup.
        IntegrityError: a file of the backup is damaged or missing.
        StorageFullError: the disk is full; nothing is left behind.
    """
    if folder.exists():
        raise ArtifactError(f"{folder} exists already; restore to a new folder")
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
            fresh = Path(name) / "gallery"
            manifest = _read(path, lambda file, data: _store(fresh / file, data))
            _drop_strays(fresh)
            fresh.rename(folder)
        fsync_path(folder.parent)
    return manifest


def _read(path: Path, take: Callable[[str, IO[bytes]], str]) -> JSONObject:
    """Give each file to ``take``, which returns its digest, and compare with the manifest."""
    try:
        with tarfile.open(path, "r:") as tar:
            manifest = _manifest(path, tar)
            expected = manifest["files"]
            assert isinstance(expected, dict)
            for member in tar:
                if member.name == MANIFEST_NAME:
                    continue
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or member.name not in expected or not _is_ours(member.name):
                    raise IntegrityError(f"{path} holds {member.name!r}, which does not belong")
                if take(member.name, file) != expected.pop(member.name):
                    raise _damaged(path, member.name)
            if expected:
                raise _damaged(path, next(iter(expected)))
            return _manifest(path, tar)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist") from error
    except (tarfile.TarError, EOFError, KeyError) as error:
        raise IntegrityError(f"{path} is no whole backup: {error}; use another one") from error


def _manifest(path: Path, tar: tarfile.TarFile) -> JSONObject:
    member = tar.getmember(MANIFEST_NAME)
    file = tar.extractfile(member)
    if file is None or member.size > _MOST_MANIFEST_BYTES:
        raise ArtifactError(f"{path} has no manifest of a backup")
    try:
        found = json.loads(file.read())
    except ValueError as error:
        raise IntegrityError(f"{path}: its manifest is damaged: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != BACKUP_KIND:
        raise ArtifactError(f"{path} is not a backup of a gallery")
    if found.get("format_version") != BACKUP_VERSION or not isinstance(found.get("files"), dict):
        raise ArtifactError(
            f"{path} has format version {found.get('format_version')}; this release reads "
            f"{BACKUP_VERSION}: restore it with the release that wrote it"
        )
    return found


def _is_ours(name: str) -> bool:
    return _PLACES.fullmatch(name) is not None and ".." not in name.split("/")


def _store(path: Path, data: IO[bytes]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        digest = _digest(data, file)
    fsync_path(path)
    fsync_path(path.parent)
    return digest


def _drop_strays(folder: Path) -> None:
    """Delete pictures whose items were deleted while the backup was taken."""
    media = MediaStore(folder)
    with contextlib.closing(StoreReader(folder)) as store:
        for path in media.strays(media.files(), store.digests()):
            path.unlink()


def _digest(data: IO[bytes], copy: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while chunk := data.read(_CHUNK_BYTES):
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return digest.hexdigest()


def _damaged(path: Path, name: str) -> IntegrityError:
    return IntegrityError(f"{path}: {name} is damaged or missing; use another backup")
