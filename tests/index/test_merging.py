"""Rules of merging in the background, on real collections."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from index import segmented_index
from index.collection import Collection
from index.faults import POINTS, watching
from index.index_plan import IndexPlan, make_plan
from index.items import NewItem
from index.stored_plan import StorePlan, plan_for, rescaled, stored_plan
from tests.index.builders import new_item, open_collection, random_units

DIM = 8


@pytest.fixture(autouse=True)
def _merges_come_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merge at fifty rows instead of twenty thousand."""
    monkeypatch.setattr(segmented_index, "_LEAST_DELTA", 50)


def items(start: int, count: int) -> list[NewItem]:
    """Return items with vectors by their number."""
    return [
        new_item(f"{n:05}", random_units(1, DIM, seed=n)[0], digest=str(n))
        for n in range(start, start + count)
    ]


def check(collection: Collection, numbers: range) -> None:
    """Every item is found at rank 1 by its own vector, and no other one is there."""
    assert collection.count() == collection.index.count() == len(numbers)
    for number in numbers[:: max(1, len(numbers) // 40)]:
        found = collection.search(random_units(1, DIM, seed=number)[0], k=1)
        assert found.hits[0].id == f"{number:05}"


def settled(collection: Collection) -> None:
    """Wait until no merge is wanted or running, a minute at most."""
    assert collection._merger is not None
    until = time.monotonic() + 60
    while collection.index.wants_merge():
        assert time.monotonic() < until
        # Not a tight loop: it would take the lock from the thread that merges.
        threading.Event().wait(0.01)
        with collection._merger._merging:
            pass


def test_a_grown_delta_is_merged_while_writes_go_on(tmp_path: Path) -> None:
    """The base follows, nothing is lost, and the next start takes the base."""
    with open_collection(tmp_path, dim=DIM) as collection:
        for start in range(0, 400, 20):
            collection.upsert(items(start, 20))
        collection.delete([f"{n:05}" for n in range(100)])
        settled(collection)
        check(collection, range(100, 400))
        assert collection.index.sizes().base >= 250
        assert len(list((tmp_path / "snapshots").iterdir())) <= 2
    with open_collection(tmp_path, dim=DIM) as collection:
        check(collection, range(100, 400))
        assert collection.index.sizes().base >= 250
        assert collection.generation > 0


def test_readers_and_writers_do_not_wait_for_a_merge(tmp_path: Path) -> None:
    """While the new base is being written, items are added, found and deleted."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(point: str) -> None:
        if point == "merge:built":
            reached.set()
            assert go_on.wait(60)

    with watching(hold), open_collection(tmp_path, dim=DIM) as collection:
        collection.upsert(items(0, 60))
        assert reached.wait(60)
        collection.upsert(items(60, 20))
        collection.delete([f"{n:05}" for n in range(10)])
        check(collection, range(10, 80))
        assert collection.index.sizes().base == 0
        assert collection.is_merging
        go_on.set()
        settled(collection)
        check(collection, range(10, 80))
        assert collection.index.sizes().base == 60


def test_a_failing_merge_is_tried_again_later_and_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk leaves the old base; the merge comes when the delta has grown by half."""
    fail = threading.Event()
    fail.set()
    failed = threading.Event()

    def full(point: str) -> None:
        if point == "snapshot:half" and fail.is_set():
            failed.set()
            raise OSError(28, "No space left on device")

    with watching(full), open_collection(tmp_path, dim=DIM) as collection:
        collection.upsert(items(0, 60))
        assert failed.wait(60)
        assert collection._merger is not None
        with collection._merger._merging:
            fail.clear()
        check(collection, range(60))
        collection.upsert(items(60, 60))
        settled(collection)
        check(collection, range(120))
        assert collection.index.sizes().base == 120
    assert "merge failed" in caplog.text


def test_a_reader_follows_the_bases_of_the_writer(tmp_path: Path) -> None:
    """A process that only searches takes the newest base instead of collecting a long delta."""
    with open_collection(tmp_path, dim=DIM) as writer:
        writer.upsert(items(0, 10))
        with open_collection(tmp_path, dim=DIM, read_only=True) as reader:
            assert reader.index.sizes().base == 0
            writer.upsert(items(10, 200))
            writer.snapshot()
            settled(writer)
            check_reader(reader, 210)
            writer.upsert(items(210, 1))
            check_reader(reader, 211)
            assert reader.index.sizes().base == 210


def check_reader(reader: Collection, count: int) -> None:
    """Let the reader see everything."""
    for number in (0, count // 2, count - 1):
        found = reader.search(random_units(1, DIM, seed=number)[0], k=1)
        assert found.hits[0].id == f"{number:05}"
    assert reader.index.count() == count


@pytest.mark.slow
@pytest.mark.parametrize("point", [name for name in POINTS if name != "commit:done"])
def test_a_merge_that_is_killed_loses_nothing(tmp_path: Path, point: str) -> None:
    """SIGKILL at each point of a merge; the next start has everything and merges again."""
    child = os.fork()
    if child == 0:

        def die(reached: str) -> None:
            if reached == point:
                os.kill(os.getpid(), signal.SIGKILL)

        with watching(die), open_collection(tmp_path, dim=DIM) as collection:
            collection.upsert(items(0, 120))
            threading.Event().wait(60)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    with open_collection(tmp_path, dim=DIM) as collection:
        check(collection, range(120))
        settled(collection)
        check(collection, range(120))
        assert collection.index.sizes().base == 120
        assert not [path for path in (tmp_path / "snapshots").iterdir() if path.suffix == ".tmp"]


def test_a_recorded_plan_is_what_the_next_merge_builds(tmp_path: Path) -> None:
    """Kind and parameters come from the database, and the answer names them."""
    plan = make_plan("ivf-sq8", 1000, probes=8, depth=256)
    with open_collection(tmp_path, dim=DIM) as collection:
        collection.upsert(items(0, 1000))
        collection.write(StorePlan(rescaled(plan, 1000)))
        collection.snapshot()
        assert collection.index.plan.kind == "flat"  # 64 lists want 2496 rows to be trained
        collection.write(StorePlan(IndexPlan("pq", depth=256)))
        collection.snapshot()
        found = collection.search(random_units(1, DIM, seed=3)[0], k=5)
        assert found.plan == "pq, re-ranked"
        assert found.hits[0].id == "00003"
        assert not collection.index.capabilities.exact


def test_pages_over_an_approximate_base_join_to_one_order(tmp_path: Path) -> None:
    """Pages of any size are cuts of one list, past the end of what the index proposed."""
    with open_collection(tmp_path, dim=DIM) as collection:
        collection.upsert(items(0, 1500))
        collection.write(StorePlan(IndexPlan("pq", depth=600)))
        collection.snapshot()
        query_D = random_units(1, DIM, seed=5000)[0]
        whole = [hit.id for hit in collection.search(query_D, k=700).hits]
        assert len(set(whole)) == 700
        for k in (7, 50, 333):
            joined: list[str] = []
            cursor = None
            while len(joined) < 700:
                page = collection.search(query_D, k=k, cursor=cursor)
                joined += [hit.id for hit in page.hits]
                cursor = page.cursor
            assert joined[:700] == whole


def test_a_plan_grows_with_its_gallery(tmp_path: Path) -> None:
    """The same share of more lists is probed; a measured plan ends at four times its rows."""
    plan = make_plan("ivf-sq8", 100_000, probes=32)
    assert (plan.lists, plan.probes) == (512, 32)
    grown = rescaled(plan, 1_000_000)
    assert (grown.lists, grown.probes) == (2048, 128)

    with open_collection(tmp_path, dim=DIM) as collection:
        collection.write(StorePlan(plan, rows=100_000))
        assert stored_plan(collection.store) == plan
        assert plan_for(collection.store, 110_000, dim=DIM).probes == 32
        assert plan_for(collection.store, 400_001, dim=DIM).probes != 128
        collection.write(StorePlan(None))
        assert stored_plan(collection.store) is None
        assert plan_for(collection.store, 10, dim=DIM) == IndexPlan()


def test_closing_gives_up_an_approximate_merge(tmp_path: Path) -> None:
    """A long build does not hold up the end; the next start begins it again."""
    reached = threading.Event()
    with (
        watching(lambda point: reached.set() if point == "snapshot:half" else None),
        open_collection(tmp_path, dim=DIM) as collection,
    ):
        collection.write(StorePlan(IndexPlan("pq", depth=256)))
        collection.upsert(items(0, 700))
        assert reached.wait(60)
        collection.index.stop()
    with open_collection(tmp_path, dim=DIM) as collection:
        settled(collection)
        assert collection.index.count() == 700
        assert np.all(np.sort(collection.index.row_ids()) == np.arange(1, 701))
