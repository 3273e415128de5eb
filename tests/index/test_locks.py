"""Rules of the locks: readers together, writers alone, one writing process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import ConflictError, StorageError
from index.locks import ReadWriteLock, WriterLock

ROOT = Path(__file__).parent.parent.parent
HOLDER = """
import sys
from pathlib import Path
from index.locks import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_readers_share_and_a_writer_is_alone() -> None:
    """Two readers are inside together; a writer waits for both and new readers wait for it."""
    lock = ReadWriteLock()
    both = threading.Barrier(2, timeout=60)
    events: list[str] = []

    def read() -> None:
        with lock.reading():
            both.wait()
            events.append("read")

    def write() -> None:
        with lock.writing():
            events.append("write")

    with lock.reading():
        writer = threading.Thread(target=write)
        writer.start()
        while not lock._writers_waiting:
            pass
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        events.append("first")
    for thread in [writer, *readers]:
        thread.join(60)

    assert events == ["first", "write", "read", "read"]


def test_the_lock_names_its_holder_and_ends_with_the_process(tmp_path: Path) -> None:
    """A killed process leaves no lock behind."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(ConflictError, match=f"process {holder.pid}"):
        WriterLock(tmp_path)
    holder.kill()
    holder.communicate()

    lock = WriterLock(tmp_path)
    lock.release()
    lock.release()


def test_a_folder_that_cannot_be_locked_is_a_storage_error(tmp_path: Path) -> None:
    """Without the folder there is nothing to lock."""
    with pytest.raises(StorageError, match="cannot be opened"):
        WriterLock(tmp_path / "missing")
