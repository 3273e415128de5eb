"""Compiled towers kept on disk, so that the next start reads instead of compiling.

Each is a file of its own: what OpenVINO exports, and the sha256 of that. It is written under a
temporary name and renamed, so nobody reads half of one; it is compared with its sha256 whenever it
is read, so it need not reach the disk before it is renamed. A cache that cannot be used is logged
and left: nothing depends on it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.artifacts import canonical_json, sha256_bytes
from core.types import JSONObject
from encoders.machine import Machine

logger = logging.getLogger(__name__)

MOST_BYTES = 4 * 2**30
"""Of all towers together; the ones that were not used for longest go first."""
MOST_DAYS = 60
"""A tower that was not used for so long goes: its model, machine or release is gone."""
_SPARE_BYTES = 2**30
"""Left free on the disk for what matters more."""
_DIGEST_BYTES = 32
_DAY_S = 24 * 3600.0
_WRITING_S = 3600.0
"""A temporary file of that age belongs to a process that was killed."""


@dataclass(frozen=True, slots=True)
class CompiledCache:
    """The compiled towers of one model on one machine, in a folder that all models share."""

    folder: Path
    """Made when the first tower is kept."""
    digests: Mapping[str, str]
    """sha256 of the model's files by their names."""
    machine: Machine
    """A tower that was compiled on another one is never used."""

    def path(self, name: str, options: JSONObject) -> Path:
        """Return where the tower of the model's file ``name`` is kept, compiled with ``options``.

        Whatever decides what is compiled is part of the file's name.
        """
        stem = Path(name).stem
        files = {file: sha for file, sha in self.digests.items() if Path(file).stem == stem}
        made_of: JSONObject = {
            "files": dict(files),
            "machine": {**asdict(self.machine), "capabilities": [*self.machine.capabilities]},
            "options": options,
        }
        return self.folder / f"tower-{sha256_bytes(canonical_json(made_of))[:32]}.blob"

    def read(self, path: Path) -> NDArray[np.uint8] | None:
        """Return the exported tower at ``path``, mapped into memory, if it is there and whole."""
        try:
            blob_N = _mapped(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.discard(path, reason=str(error))
            return None
        content_N = blob_N[:-_DIGEST_BYTES]
        if hashlib.sha256(content_N.data).digest() != blob_N[-_DIGEST_BYTES:].tobytes():
            self.discard(path, reason="its sha256 is not the recorded one")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content_N

    def write(
        self, path: Path, export: Callable[[io.BytesIO], None], *, about_bytes: int = 0
    ) -> None:
        """Keep what ``export`` writes into a stream; where that fails, keep nothing and log it.

        Args:
            path: from :meth:`path`.
            export: ``CompiledModel.export_model``.
            about_bytes: the size to expect, which has to be free on the disk.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_room(self.folder, about_bytes)
            _write_whole(path, export)
            self._tidy()
        except (OSError, RuntimeError) as error:
            logger.info(
                "the compiled model is not kept, so the next start compiles it again",
                extra={"folder": str(self.folder), "reason": str(error)},
            )

    def discard(self, path: Path, *, reason: str) -> None:
        """Remove a tower that cannot be used."""
        logger.warning(
            "a compiled model in the cache cannot be used; it is compiled again",
            extra={"path": str(path), "reason": reason},
        )
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Remove what was not used for long, what is too much, and what killed processes left."""
        now, total = time.time(), 0
        for path, age_s, size in _newest_first(self.folder.glob("tower-*.blob"), now=now):
            total += size
            if age_s > MOST_DAYS * _DAY_S or total > MOST_BYTES:
                path.unlink(missing_ok=True)
        for path, age_s, _ in _newest_first(self.folder.glob(".tower-*"), now=now):
            if age_s > _WRITING_S:
                path.unlink(missing_ok=True)


class _FileStream(io.BytesIO):
    """Passes on to a file what is written: OpenVINO accepts no stream but a ``BytesIO``.

    OpenVINO loses the errors of a stream, so the first one is kept here.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Write into an open file."""
        super().__init__()
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # OpenVINO gives bytes
        """Write to the file."""
        self._attempt(lambda: self._file.write(data))
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move in the file: the header is written last."""
        return self._attempt(lambda: self._file.seek(offset, whence))

    def tell(self) -> int:
        """Return the place in the file."""
        return self._attempt(self._file.tell)

    def check(self) -> None:
        """Raise the first error, if there was one.

        Raises:
            OSError: for example a full disk.
        """
        if self.error is not None:
            raise self.error

    def _attempt(self, work: Callable[[], int]) -> int:
        """Return what the work returns; 0 once something has failed."""
        if self.error is None:
            try:
                return work()
            except OSError as error:
                self.error = error
        return 0


def _write_whole(path: Path, export: Callable[[io.BytesIO], None]) -> None:
    """Write a file that appears under its name when all of it is there, for its owner alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            stream = _FileStream(file)
            export(stream)
            stream.check()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0, os.SEEK_END)
            file.write(digest)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _check_room(folder: Path, about_bytes: int) -> None:
    """Refuse to fill the disk.

    Raises:
        OSError: too little would be left.
    """
    if shutil.disk_usage(folder).free < about_bytes + _SPARE_BYTES:
        raise OSError(errno.ENOSPC, "too little room is left on the disk")


def _mapped(path: Path) -> NDArray[np.uint8]:
    """Map a file of ours; what is written into the array does not reach it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty, or somebody else's: what it holds is run as a program.
    """
    with path.open("rb") as file:
        owner = os.fstat(file.fileno()).st_uid
        if owner not in {os.geteuid(), 0}:
            raise ValueError(f"it belongs to the user {owner}")
        return np.memmap(file, np.uint8, mode="c")


def _newest_first(paths: Iterable[Path], *, now: float) -> list[tuple[Path, float, int]]:
    """Return path, age in seconds and size of the files that are still there."""
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found.append((path, now - status.st_mtime, status.st_size))
    return sorted(found, key=lambda entry: entry[1])
