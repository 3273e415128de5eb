"""Artifacts: folders with a manifest, written atomically and verified when read.

An artifact is a folder with a ``manifest.json`` that names its kind, its format version and the
sha256 of every other file. It is written under a temporary name, fsynced and renamed, so that a
reader sees either all of it or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import ArtifactError, IntegrityError
from core.types import JSONObject, JSONValue

MANIFEST_NAME = "manifest.json"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says of its folder."""

    kind: str
    """What the folder is: ``model``, ``report``, ``run``, ``snapshot``."""
    format_version: int
    """Version of the layout; a reader refuses the ones it does not know."""
    files: dict[str, str]
    """Relative POSIX path of every file to its sha256."""
    extra: JSONObject
    """Fields of the kind's own, for example ``encoder_id``."""


def sha256_bytes(data: bytes) -> str:
    """Return the hexadecimal sha256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hexadecimal sha256 of the file at ``path``, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def canonical_json(value: JSONValue) -> bytes:
    """Return the one byte string that stands for ``value``: sorted keys, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def fsync_path(path: Path) -> None:
    """Flush a file or a directory entry to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, where missing, so that they survive a power loss."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    fsync_path(path.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path`` so that a crash leaves the old content or the new, never half.

    At no moment does the file have more permissions than ``mode``.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def write_json(path: Path, value: JSONValue) -> None:
    """Write strict, readable JSON atomically (NaN and infinity raise ``ValueError``)."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, f"{text}\n".encode())


def read_json(path: Path) -> JSONObject:
    """Read a JSON object.

    Raises:
        ArtifactError: the file is missing, not JSON, or not an object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} does not exist") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} holds a {type(value).__name__}, expected a JSON object")
    return value


@contextmanager
def new_artifact(
    target: Path, *, kind: str, format_version: int, extra: JSONObject | None = None
) -> Iterator[Path]:
    """Yield a temporary folder; on success give it a manifest and rename it to ``target``.

    ``extra`` is read when the block ends, so the block may still fill it.

    Raises:
        ArtifactError: ``target`` exists already (artifacts are immutable).
    """
    if target.exists():
        raise ArtifactError(f"{target} exists already; artifacts are immutable, choose a new name")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        _seal(temporary, kind=kind, format_version=format_version, extra=extra or {})
        temporary.chmod(0o755)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_path(target.parent)


def read_manifest(folder: Path, *, kind: str, format_version: int) -> Manifest:
    """Read and check the manifest of ``folder`` without reading the other files.

    Raises:
        ArtifactError: no manifest, another kind, or a version this release does not know.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is not a folder; expected a {kind} artifact")
    fields = read_json(folder / MANIFEST_NAME)
    found_kind, found_version = fields.pop("kind", None), fields.pop("format_version", None)
    files = fields.pop("files", None)
    if found_kind != kind:
        raise ArtifactError(f"{folder} is an artifact of kind {found_kind!r}, expected {kind!r}")
    if found_version != format_version:
        raise ArtifactError(
            f"{folder} has format version {found_version!r}; this release reads {format_version}. "
            "Export it again with this release"
        )
    if not isinstance(files, dict):
        raise ArtifactError(f"{folder / MANIFEST_NAME} has no table of files")
    digests = {name: str(digest) for name, digest in files.items()}
    return Manifest(kind=kind, format_version=format_version, files=digests, extra=fields)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of the manifest with its sha256.

    Raises:
        IntegrityError: a file is missing or differs; the message names the file.
    """
    root = folder.resolve()
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.resolve().is_relative_to(root):
            raise IntegrityError(f"{folder}: the manifest names {name!r}, outside the folder")
        if not path.is_file():
            raise IntegrityError(f"{path} is missing; restore the folder or export it again")
        found = sha256_file(path)
        if found != expected:
            raise IntegrityError(
                f"{path} is damaged: its sha256 is {found}, the manifest says {expected}; "
                "restore the folder or export it again"
            )


def _seal(folder: Path, *, kind: str, format_version: int, extra: JSONObject) -> None:
    """Hash and fsync every file of ``folder``, then write its manifest."""
    files: dict[str, JSONValue] = {}
    for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
        path.chmod(0o644)
        fsync_path(path)
        files[path.relative_to(folder).as_posix()] = sha256_file(path)
    manifest: JSONObject = {"kind": kind, "format_version": format_version, **extra, "files": files}
    write_json(folder / MANIFEST_NAME, manifest)
