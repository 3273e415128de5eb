"""Lock files: what one process at a time may do, and freed when that process ends, however it ends.

Two objects of one process exclude each other too: the lock belongs to the opened file (`flock`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConflictError, StorageError

_LOOK_EVERY_S = 0.02
"""``flock`` cannot wait for a limited time, so a waiting process looks this often."""


class FileLock:
    """An opened lock file, taken or not."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; the lock is not taken yet.

        Raises:
            StorageError: it can be neither opened nor made.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened for writing: {error}") from error

    def take(self) -> bool:
        """Take the lock; ``False`` if another one holds it.

        Raises:
            StorageError: the file system has no locks.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StorageError(
                f"{self.path} cannot be locked: {error}; keep galleries on a disk of this machine"
            ) from error
        # The number is only for the messages of others: a full disk must not stop a reader's start.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return True

    def holder(self) -> str:
        """Return the process id of the holder, as far as it is known."""
        return os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"

    def release(self) -> None:
        """Let others take it. The file stays: removing it would race with the next holder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def holding(path: Path, *, what: str, wait_s: float) -> Iterator[None]:
    """Hold a lock file, after waiting for whoever has it.

    Args:
        path: of the lock file; made if it is not there.
        what: is being done by the holder, for the message.
        wait_s: longest wait, in seconds.

    Raises:
        ConflictError: somebody else held it all that time.
        StorageError: the file cannot be made or locked.
    """
    lock = FileLock(path)
    try:
        deadline = time.monotonic() + wait_s
        while not lock.take():
            if time.monotonic() >= deadline:
                raise ConflictError(
                    f"{what} by process {lock.holder()} for more than {wait_s:g} s; try again "
                    "when it has ended",
                    code="locked",
                )
            time.sleep(_LOOK_EVERY_S)
        yield
    finally:
        lock.release()
