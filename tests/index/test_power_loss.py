"""Power loss at any moment: what was acknowledged is there, whatever the disk did with the rest."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from core.artifacts import write_atomic
from index.compaction import compact
from index.faults import watching
from tests.index.power import Disk, after_power_loss
from tests.index.vfs import WatchedVFS
from tests.index.workload import (
    Model,
    allowed_models,
    applied,
    check_whole,
    draw,
    execute,
    open_small,
    stored,
)

RUNS = 5
LOSSES_OF_A_RUN = 40
OPERATIONS = 60


@pytest.fixture(scope="module")
def vfs() -> WatchedVFS:
    """Return the watched VFS of this process."""
    return WatchedVFS()


def record(root: Path, vfs: WatchedVFS, *, seed: int) -> Disk:
    """Run random operations, closing, compacting and opening in between; record every write."""
    rng = random.Random(seed)
    disk = Disk(root)
    model: Model = {}
    folder = root / "galleries" / "pictures"

    def watch(point: str) -> None:
        for path in (folder / "snapshots").glob(".*"):
            disk.capture(path)

    with vfs.installed(disk), disk.recording(), watching(watch):
        left = OPERATIONS
        while left:
            with open_small(folder) as collection:
                writer = collection._writer
                assert writer is not None
                # So that checkpoints happen at 1/100 of the usual size.
                writer._connection.execute("PRAGMA wal_autocheckpoint = 10")
                for _ in range(min(left, rng.randint(1, 20))):
                    operation = draw(rng, model)
                    disk.mark(json.dumps(operation))
                    execute(collection, operation)
                    disk.mark("done")
                    model = applied(model, operation)
                    left -= 1
            if rng.random() < 0.3:
                compact(folder)
    return disk


@pytest.mark.slow
@pytest.mark.parametrize("run", range(RUNS))
def test_no_power_loss_takes_an_acknowledged_write(
    tmp_path: Path, vfs: WatchedVFS, run: int
) -> None:
    """Unsynced data and names are dropped, torn or kept at random: the collection opens whole."""
    root = tmp_path / "disk"
    root.mkdir()
    disk = record(root, vfs, seed=run)
    rng = random.Random(run)
    for loss in range(LOSSES_OF_A_RUN):
        count = rng.randrange(len(disk.events) + 1)
        said = [event.path for event in disk.events[:count] if event.kind == "mark"]
        target = tmp_path / f"after {loss}"
        after_power_loss(disk.events[:count], root, target, seed=run * LOSSES_OF_A_RUN + loss)

        with open_small(target / "galleries" / "pictures") as collection:
            held = stored(collection)
            assert held in allowed_models(said, {}), (loss, count)
            check_whole(collection, held, seed=loss)
            execute(collection, {"put": [["later", loss]]})
            check_whole(collection, held | {"later": loss}, seed=loss, probes=0)


@pytest.mark.slow
def test_the_recording_covers_what_a_power_loss_can_meet(tmp_path: Path, vfs: WatchedVFS) -> None:
    """A recording without checkpoints, snapshots or new logs would prove little."""
    events = record(tmp_path, vfs, seed=0).events
    kinds = Counter((event.kind, Path(event.path).suffix) for event in events)
    assert kinds["write", ".sqlite3"] > 20
    assert kinds["sync", ".sqlite3"] > 5
    assert kinds["sync", ".sqlite3-wal"] > OPERATIONS / 2
    assert kinds["unlink", ".sqlite3-wal"] >= 2
    assert kinds["content", ".tmp"] > 2
    assert sum(event.kind == "rename" for event in events) > 1


@pytest.mark.slow
def test_a_write_that_is_not_synced_is_lost_in_the_model(tmp_path: Path, vfs: WatchedVFS) -> None:
    """The proof can fail: without syncs of the log, acknowledged writes are gone."""
    root = tmp_path / "disk"
    root.mkdir()
    disk = record(root, vfs, seed=0)
    unsynced = [event for event in disk.events if event.kind != "sync"]
    said = [event.path for event in unsynced if event.kind == "mark"]

    after_power_loss(unsynced, root, tmp_path / "after", seed=0)

    with open_small(tmp_path / "after" / "galleries" / "pictures") as collection:
        assert stored(collection) not in allowed_models(said, {})


@pytest.mark.parametrize("seed", range(8))
def test_a_file_that_is_replaced_is_old_or_new(tmp_path: Path, seed: int) -> None:
    """Kept pictures and manifests: in a new folder, at every moment of the writing."""
    root, old, new = tmp_path / "disk", b"old" * 1000, b"new" * 2000
    root.mkdir()
    disk = Disk(root)
    with disk.recording():
        write_atomic(root / "images" / "ab" / "picture", old)
        half = len(disk.events)
        write_atomic(root / "images" / "ab" / "picture", new)
    for count in range(len(disk.events) + 1):
        target = tmp_path / f"after {count}"
        after_power_loss(disk.events[:count], root, target, seed=seed)
        path = target / "images" / "ab" / "picture"
        found = path.read_bytes() if path.exists() else b""
        allowed = {b"", old} if count < half else {old, new}
        assert found in ({new} if count == len(disk.events) else allowed)
