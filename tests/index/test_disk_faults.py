"""Full and failing disks: a write is refused with a clear error, reads go on, writes come back."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core.errors import StorageError
from index.collection import Collection
from tests.index.vfs import Event, WatchedVFS, error_for
from tests.index.workload import Model, check_whole, execute, open_small

START: Model = {f"{number:03}": number for number in range(20)}
MORE: Model = {f"{number:03}": number + 100 for number in range(10, 40)}
BOTH: Model = START | MORE


class FailingDisk:
    """Lets some changes of files happen, then fails: once, or until it is mended."""

    def __init__(self, kind: int, *, once: bool = False) -> None:
        """Fail with errno ``kind``, not before ``fail_after``."""
        self.kind, self.once, self.failed = kind, once, 0
        self._left: int | None = None

    def fail_after(self, changes: int) -> None:
        """Fail when this many more changes were made."""
        self._left, self.failed = changes, 0

    def mend(self) -> None:
        """Fail no more."""
        self._left = None

    def __call__(self, event: Event) -> int:
        """Let a change happen, or fail it."""
        if self._left is None or event.kind not in {"write", "sync", "truncate"}:
            return 0
        if self._left:
            self._left -= 1
            return 0
        self.failed += 1
        if self.once:
            self.mend()
        return error_for(event, self.kind)


@pytest.fixture(scope="module")
def vfs() -> WatchedVFS:
    """Return the watched VFS of this process."""
    return WatchedVFS()


def put(collection: Collection, model: Model) -> None:
    """Store a model's items in one write."""
    execute(collection, {"put": [[name, version] for name, version in model.items()]})


def open_and_close(folder: Path) -> None:
    """Make a gallery."""
    open_small(folder).close()


def failure_of(action: Callable[[], None]) -> str:
    """Return the message of the storage error that an action raises; empty if it succeeds."""
    try:
        action()
    except StorageError as error:
        return str(error)
    return ""


def checkpoint_often(collection: Collection) -> None:
    """Let every commit move its pages to the database."""
    assert collection._writer is not None
    collection._writer._connection.execute("PRAGMA wal_autocheckpoint = 1")


@pytest.mark.slow
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_at_any_point_is_refused_whole(
    tmp_path: Path, vfs: WatchedVFS, kind: int, *, once: bool
) -> None:
    """For every n: the n-th write, sync or truncation fails; nothing is lost, half or stuck."""
    disk, refused = FailingDisk(kind, once=once), 0
    for changes in range(1000):
        folder = tmp_path / f"{changes}"
        with vfs.installed(disk):
            with open_small(folder) as collection:
                put(collection, START)
                checkpoint_often(collection)
                disk.fail_after(changes)
                told = failure_of(partial(put, collection, MORE))
                assert told == "" or "cannot grow" in told or "the disk or its file" in told
                refused += bool(told)
                check_whole(collection, START if told else BOTH, seed=changes, probes=1)
                disk.mend()
                put(collection, MORE)
                check_whole(collection, BOTH, seed=changes, probes=1)
            with open_small(folder) as collection:
                check_whole(collection, BOTH, seed=changes)
        if not disk.failed:
            break
    assert refused > 10
    assert changes > refused


@pytest.mark.slow
@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EIO])
def test_a_gallery_that_cannot_be_made_is_made_later(
    tmp_path: Path, vfs: WatchedVFS, kind: int
) -> None:
    """For every n: the n-th change while a gallery is made fails; the next try succeeds."""
    disk = FailingDisk(kind)
    for changes in range(1000):
        folder = tmp_path / f"{changes}"
        disk.fail_after(changes)
        with vfs.installed(disk):
            assert not failure_of(partial(open_and_close, folder)) or disk.failed
            disk.mend()
            with open_small(folder) as collection:
                put(collection, START)
                check_whole(collection, START, seed=0, probes=1)
        if not disk.failed:
            break
    assert changes > 10


def test_a_close_that_cannot_write_loses_nothing(tmp_path: Path, vfs: WatchedVFS) -> None:
    """What is committed stays in the log until a later start can move it."""
    disk = FailingDisk(errno.ENOSPC)
    with vfs.installed(disk):
        with open_small(tmp_path) as collection:
            put(collection, START)
            disk.fail_after(0)
        assert disk.failed
        disk.mend()
        with open_small(tmp_path) as collection:
            check_whole(collection, START, seed=0)
