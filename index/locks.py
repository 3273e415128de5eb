"""Who may touch what at once: many readers or one writer, and one writing process per gallery."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConflictError, StorageError


class ReadWriteLock:
    """Many readers or one writer; a waiting writer goes before new readers."""

    def __init__(self) -> None:
        """Start unlocked."""
        self._changed = threading.Condition()
        self._readers = 0
        self._writing = False
        self._writers_waiting = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the lock beside other readers. Not re-entrant."""
        with self._changed:
            while self._writing or self._writers_waiting:
                self._changed.wait()
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock alone. Not re-entrant."""
        with self._changed:
            self._writers_waiting += 1
            try:
                while self._writing or self._readers:
                    self._changed.wait()
                self._writing = True
            finally:
                self._writers_waiting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()


class WriterLock:
    """The right to write a folder, held by one process at a time and freed when it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            ConflictError: another process (or another ``Collection`` of this one) holds it.
            StorageError: the lock file cannot be made.
        """
        path = folder / "writer.lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened for writing: {error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise ConflictError(
                f"{folder} is being written by process {holder}; stop it first, or, if it is a "
                "server, send the images to it (POST /v1/items)",
                code="gallery_locked",
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise StorageError(
                f"{path} cannot be locked: {error}; keep galleries on a disk of this machine"
            ) from error
        # The number is only for the messages of others: a full disk must not stop a reader's start.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others write. The file stays: removing it would race with the next holder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
