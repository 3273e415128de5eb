"""Rules of the writing thread: group commit, isolation, and reading one's own writes."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotFoundError, StorageError
from index.changes import Change, Outcome
from index.filters import parse_filter
from tests.index.builders import new_item, open_collection, unit
from tests.service.observing import wait_until


def test_concurrent_writers_share_commits_and_lose_nothing(tmp_path: Path) -> None:
    """Forty single writes from eight threads are all there, in fewer commits than writes."""
    with open_collection(tmp_path) as collection, ThreadPoolExecutor(8) as pool:
        groups: list[int] = []
        writer = collection._writer
        assert writer is not None
        commit = writer._commit

        def counted(changes: list[Change[Any]]) -> list[Outcome[Any]]:
            if not groups:
                # The first commit lasts until the other threads wait for theirs.
                wait_until(lambda: len(changes) + writer.waiting == 8)
            groups.append(len(changes))
            return commit(changes)

        writer._commit = counted  # type: ignore[method-assign]
        list(pool.map(lambda n: collection.upsert([new_item(f"{n:02}")]), range(40)))

        assert [item.id for item in collection.scroll().items] == [f"{n:02}" for n in range(40)]
        assert sum(groups) == 40
        assert len(groups) < 40


def test_a_failing_change_harms_no_other_of_its_group(tmp_path: Path) -> None:
    """Each write of a group that fails is tried alone, so only the culprit gets the error."""
    with open_collection(tmp_path) as collection, ThreadPoolExecutor(8) as pool:
        collection.upsert([new_item("known")])
        entered, go_on = threading.Event(), threading.Event()

        def slow(connection: sqlite3.Connection) -> Outcome[str]:
            entered.set()
            go_on.wait(60)
            return Outcome("slow")

        first = pool.submit(collection._writer.do, slow)  # type: ignore[union-attr]
        assert entered.wait(60)
        bad = pool.submit(collection.update, "unknown", caption="x")
        good = [pool.submit(collection.upsert, [new_item(f"{n}")]) for n in range(5)]
        go_on.set()

        assert first.result() == "slow"
        with pytest.raises(NotFoundError):
            bad.result()
        assert [future.result() for future in good] == [["created"]] * 5
        assert collection.count() == 6


def test_an_unexpected_failure_reaches_its_caller_and_the_writer_goes_on(tmp_path: Path) -> None:
    """The thread does not die of a bug in a change; the transaction is rolled back."""
    with open_collection(tmp_path) as collection:

        def broken(connection: sqlite3.Connection) -> Outcome[None]:
            connection.execute("DELETE FROM items")
            raise RuntimeError("a bug")

        collection.upsert([new_item("a")])
        with pytest.raises(RuntimeError, match="a bug"):
            collection._writer.do(broken)  # type: ignore[union-attr]
        with pytest.raises(StorageError, match="no such table"):
            collection._writer.do(lambda connection: connection.execute("DELETE FROM none"))  # type: ignore[union-attr, arg-type, return-value]

        assert collection.count() == 1
        assert collection.upsert([new_item("b")]) == ["created"]


def test_every_search_sees_what_was_acknowledged_before_it(tmp_path: Path) -> None:
    """While writers add, replace and delete, readers never miss an item that is there."""
    with open_collection(tmp_path) as collection:
        collection.upsert([new_item("fixed", metadata={"kind": "x"}), new_item("other")])
        stop = threading.Event()

        def replace(number: int) -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                digest = f"{number} {turn}"
                collection.upsert([new_item("fixed", digest=digest, metadata={"kind": "x"})])
                collection.upsert([new_item(f"mine{number}", digest=digest)])
                assert "fixed" in found(None)
                assert f"mine{number}" in found(None)
                collection.delete([f"mine{number}"])
                assert f"mine{number}" not in found(None)

        def found(filter: object) -> set[str]:
            chosen = None if filter is None else parse_filter(filter)  # type: ignore[arg-type]
            return {hit.id for hit in collection.search(unit(1, 0, 0, 0), k=50, filter=chosen).hits}

        with ThreadPoolExecutor(2) as pool:
            writers = [pool.submit(replace, number) for number in range(2)]
            try:
                for _ in range(150):
                    assert {"fixed", "other"} <= found(None)
                    assert found({"kind": "x"}) == {"fixed"}
            finally:
                stop.set()
            for writer in writers:
                writer.result()


def test_a_reader_of_another_connection_follows_a_busy_writer(tmp_path: Path) -> None:
    """A read-only collection never misses an item that is only being replaced."""
    with open_collection(tmp_path) as writer:
        writer.upsert([new_item("fixed")])
        stop = threading.Event()

        def replace() -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                writer.upsert([new_item("fixed", digest=str(turn))])

        with open_collection(tmp_path, read_only=True) as reader, ThreadPoolExecutor(1) as pool:
            busy = pool.submit(replace)
            try:
                for _ in range(50):
                    hits = reader.search(unit(1, 0, 0, 0), k=5).hits
                    assert [hit.id for hit in hits] == ["fixed"]
            finally:
                stop.set()
            busy.result()
