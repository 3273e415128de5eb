"""Who may touch what at once: many readers or one writer, and one writing process per gallery."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConflictError, SightlineError
from core.locks import FileLock


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
        self._lock = FileLock(folder / "writer.lock")
        try:
            if not self._lock.take():
                raise ConflictError(
                    f"{folder} is being written by process {self._lock.holder()}; stop it first, "
                    "or, if it is a server, send the images to it (POST /v1/items)",
                    code="gallery_locked",
                )
        except SightlineError:
            self._lock.release()
            raise

    def release(self) -> None:
        """Let others write."""
        self._lock.release()
