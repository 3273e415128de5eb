"""Rules of core.locks: one holder at a time, and a wait that ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from core.errors import ConflictError, StorageError
from core.locks import FileLock, holding


def test_a_lock_file_has_one_holder(tmp_path: Path) -> None:
    """Also among objects of one process; the holder can be named, and frees it by release."""
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert first.take()
    assert not second.take()
    assert second.holder() == str(os.getpid())
    first.release()
    assert second.take()
    second.release()
    second.release()


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    """However many wait, one is inside at a time and each gets its turn."""
    path = tmp_path / "lock"
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with holding(path, what="it is used", wait_s=120):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with holding(path, what="it is used", wait_s=0):
        for thread in threads:
            thread.start()
        assert most == []
    for thread in threads:
        thread.join(120)

    assert most == [1] * 6


def test_a_wait_that_takes_too_long_names_the_holder(tmp_path: Path) -> None:
    """So that a person knows what to end."""
    path = tmp_path / "lock"
    told = f"it is used by process {os.getpid()} for more than 0 s"

    holder = FileLock(path)
    assert holder.take()

    with (
        pytest.raises(ConflictError, match=told),
        holding(path, what="it is used", wait_s=0),
    ):
        pass
    holder.release()


def test_a_lock_is_free_again_where_its_holder_failed(tmp_path: Path) -> None:
    """Whatever was raised inside."""
    path = tmp_path / "lock"

    def fail() -> None:
        with holding(path, what="it is used", wait_s=0):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    with holding(path, what="it is used", wait_s=0):
        pass


def test_a_file_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    """Its folder must be there."""
    with pytest.raises(StorageError, match="cannot be opened"):
        FileLock(tmp_path / "missing" / "lock")
