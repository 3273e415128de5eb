"""A failure at any named point is told, harms nothing, and is over with the next try."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StorageError
from index.faults import POINTS, watching
from index.schema import DATABASE_NAME
from tests.index.workload import Model, check_whole, execute, open_small

MODEL: Model = {f"{number:03}": number for number in range(50)}
MORE: Model = {f"{number:03}": number + 1 for number in range(40, 60)}


class FailsOnce:
    """Raises at one point, the first time."""

    def __init__(self, point: str) -> None:
        """Wait for ``point``."""
        self.point, self.reached = point, False

    def __call__(self, point: str) -> None:
        """Raise, or let it pass."""
        if point == self.point and not self.reached:
            self.reached = True
            raise StorageError(f"injected at {point}")


def put(model: Model) -> dict[str, list[list[object]]]:
    """Return the write of a model."""
    return {"put": [[name, version] for name, version in model.items()]}


def recorded(folder: Path) -> set[str]:
    """Return the snapshots that the database knows."""
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection:
        return {row[0] for row in connection.execute("SELECT file FROM snapshots")}


def present(folder: Path) -> set[str]:
    """Return the files in the folder of snapshots."""
    return {path.name for path in (folder / "snapshots").iterdir()}


@pytest.mark.parametrize("point", sorted(set(POINTS) - {"commit:done"}))
def test_a_merge_that_fails_anywhere_is_done_by_the_next(tmp_path: Path, point: str) -> None:
    """The old base goes on; the next merge and the next start work; no file is left over."""
    failing = FailsOnce(point)
    with open_small(tmp_path) as collection:
        execute(collection, put(MODEL))
        collection.snapshot()
        execute(collection, put(MORE))
        with watching(failing), pytest.raises(StorageError, match="injected"):
            collection.snapshot()
        check_whole(collection, MODEL | MORE, seed=0)
        execute(collection, {"drop": ["000"]})
        expected = {name: version for name, version in (MODEL | MORE).items() if name != "000"}
        check_whole(collection, expected, seed=1)
    with open_small(tmp_path) as collection:
        assert present(tmp_path) == recorded(tmp_path)
        check_whole(collection, expected, seed=2)
        collection.snapshot()
        check_whole(collection, expected, seed=3)
        assert present(tmp_path) == recorded(tmp_path)


def test_a_commit_that_the_index_does_not_take_stands(tmp_path: Path) -> None:
    """The write is acknowledged, and the next search sees it."""
    with open_small(tmp_path) as collection:
        execute(collection, put(MODEL))
        with watching(FailsOnce("commit:done")):
            execute(collection, put(MORE))
        check_whole(collection, MODEL | MORE, seed=0)
