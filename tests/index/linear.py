"""Writers, readers, merges and snapshots at once, every answer checked for being possible.

Each item has one writer, so its history is a row of states, each with the moments at which its
write began and was acknowledged. A search that lasts from s to e may see a state whose write began
before e, unless the next write was acknowledged before s; and a thread never sees an item go back
to an older state. That is what linearizable means for registers with one writer.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from index import segmented_index
from index.collection import Collection
from index.filters import parse_filter
from tests.index.builders import random_units
from tests.index.workload import applied, draw, execute, open_small, vector_of

WRITERS = ("a", "b")
READERS = 2
_ITEMS_OF_A_WRITER = 60
_LEAST_DELTA = 40
"""So that merges in the background happen at 1/500 of the usual size."""
_GONE = -1
_PATIENCE_S = 300.0
"""How much longer than asked a slow machine may take to do enough."""


@dataclass(slots=True)
class State:
    """One state of an item: its version, or that it is not there."""

    version: int
    began: int
    acknowledged: int | None = None


@dataclass(slots=True)
class Counts:
    """What a run did."""

    writes: int = 0
    searches: int = 0
    snapshots: int = 0


class History:
    """The states of every item, and the check of what a search saw of them."""

    def __init__(self, collection: Collection, *, seconds: float, least: Counts) -> None:
        """Watch a collection for some seconds, and then until enough was done."""
        self.collection = collection
        self.counts = Counts()
        self._least = least
        self._until = time.monotonic() + seconds
        self._states: dict[str, list[State]] = defaultdict(lambda: [State(_GONE, 0, 0)])
        self._failed = threading.Event()

    def write(self, writer: str, seed: int) -> None:
        """Write until the time is over."""
        rng = random.Random(f"{seed} {writer}")
        mine: dict[str, int] = {}
        while self._goes_on():
            operation = draw(rng, mine, prefix=writer, names=_ITEMS_OF_A_WRITER)
            changed = dict(operation.get("put", ())) | dict.fromkeys(
                operation.get("drop", ()), _GONE
            )
            began = time.monotonic_ns()
            states = [State(version, began) for version in changed.values()]
            for name, state in zip(changed, states, strict=True):
                self._states[name] = [*self._states[name], state]
            execute(self.collection, operation)
            acknowledged = time.monotonic_ns()
            for state in states:
                state.acknowledged = acknowledged
            mine = applied(mine, operation)
            self.counts.writes += 1
            self.counts.snapshots += "snapshot" in operation

    def read(self, collection: Collection, seed: int) -> None:
        """Search until the time is over, every second time with a filter."""
        rng = random.Random(seed)
        seen: dict[str, int] = {}
        while self._goes_on():
            query_D = random_units(1, len(vector_of("a", 0)), seed=rng.randrange(2**31))[0]
            filtered = rng.random() < 0.5
            chosen = parse_filter({"even": True}) if filtered else None
            began = time.monotonic_ns()
            hits = collection.search(query_D, k=1000, filter=chosen).hits
            ended = time.monotonic_ns()
            found: dict[str, int] = {}
            for hit in hits:
                version = hit.metadata["version"]
                assert isinstance(version, int)
                assert hit.id not in found, f"{hit.id} twice"
                assert abs(hit.score - float(vector_of(hit.id, version) @ query_D)) < 1e-5
                found[hit.id] = version
            self._check(found, seen, began=began, ended=ended, filtered=filtered)
            self.counts.searches += 1

    def guarded(self, work: str, *arguments: object) -> None:
        """Do some work; a failure ends everybody's."""
        try:
            getattr(self, work)(*arguments)
        except BaseException:
            self._failed.set()
            raise

    def _goes_on(self) -> bool:
        if self._failed.is_set():
            return False
        late_s = time.monotonic() - self._until
        return late_s < 0 or (late_s < _PATIENCE_S and not self._is_enough())

    def _is_enough(self) -> bool:
        done, least = self.counts, self._least
        return (
            done.writes >= least.writes
            and done.searches >= least.searches
            and done.snapshots >= least.snapshots
        )

    def _check(
        self, found: dict[str, int], seen: dict[str, int], *, began: int, ended: int, filtered: bool
    ) -> None:
        for name, states in list(self._states.items()):
            oldest, newest = possible(states, began=began, ended=ended)
            oldest = max(oldest, seen.get(name, 0))
            version = found.pop(name, _GONE)
            places = [
                place
                for place in range(oldest, newest + 1)
                if states[place].version == version
                or (version == _GONE and filtered and states[place].version % 2)
            ]
            assert places, f"{name}: saw {version}, possible {states[oldest : newest + 1]}"
            assert not filtered or version == _GONE or version % 2 == 0
            if not filtered:
                seen[name] = places[0]
        assert not found, f"items that nobody wrote: {found}"


def possible(states: list[State], *, began: int, ended: int) -> tuple[int, int]:
    """Return the first and last place of the states that a search may see."""
    oldest = max(
        place
        for place, state in enumerate(states)
        if state.acknowledged is not None and state.acknowledged <= began
    )
    return oldest, max(place for place, state in enumerate(states) if state.began <= ended)


def main(folder: Path, *, seconds: float, seed: int, least: Counts | None = None) -> Counts:
    """Write, search, merge and take snapshots at once; raise at the first impossible answer.

    Ends after ``seconds``, but not before ``least`` was done.
    """
    usual, segmented_index._LEAST_DELTA = segmented_index._LEAST_DELTA, _LEAST_DELTA
    try:
        with ExitStack() as opened:
            collection = opened.enter_context(open_small(folder))
            follower = opened.enter_context(open_small(folder, read_only=True))
            pool = opened.enter_context(ThreadPoolExecutor(len(WRITERS) + READERS + 1))
            history = History(collection, seconds=seconds, least=least or Counts())
            work = [pool.submit(history.guarded, "write", name, seed) for name in WRITERS]
            work += [
                pool.submit(history.guarded, "read", source, number)
                for number, source in enumerate([collection] * READERS + [follower])
            ]
            for future in work:
                future.result()
            return history.counts
    finally:
        segmented_index._LEAST_DELTA = usual


if __name__ == "__main__":
    counts = main(Path(sys.argv[1]), seconds=float(sys.argv[2]), seed=int(sys.argv[3]))
    sys.stdout.write(f"{counts}\n")
