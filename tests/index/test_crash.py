"""A writer process that is killed at any moment loses nothing that it acknowledged."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.index.builders import DIM, open_collection, random_units

KILLS = 6
ROOT = Path(__file__).parent.parent.parent
WRITER = """
import sys
from pathlib import Path
from tests.index.builders import DIM, new_item, open_collection, random_units

folder, start = Path(sys.argv[1]), int(sys.argv[2])
collection = open_collection(folder)
print("ready", flush=True)
number = start
while True:
    batch = [number + offset for offset in range(number % 4 + 1)]
    collection.upsert(
        [new_item(f"{n:06}", random_units(1, DIM, seed=n)[0], digest=str(n)) for n in batch]
    )
    print("added", *batch, flush=True)
    if number % 5 == 0:
        print("deleting", batch[0], flush=True)
        collection.delete([f"{batch[0]:06}"])
        print("deleted", batch[0], flush=True)
    if number % 7 == 0:
        collection.snapshot()
    number = batch[-1] + 1
"""


def run_and_kill(folder: Path, *, start: int, seconds: float) -> list[str]:
    """Run a writer, kill it with SIGKILL after some seconds, return what it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(start)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    return [line for line in output.splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each kill every acknowledged item is there and found at rank 1, no deleted one is."""
    rng = random.Random(0)
    said: dict[str, set[int]] = {"added": set(), "deleting": set(), "deleted": set()}
    for turn in range(KILLS):
        start = (turn + 1) * 10_000
        lines = run_and_kill(tmp_path, start=start, seconds=rng.uniform(0.02, 0.5))
        for line in lines:
            kind, *numbers = line.split()
            said[kind].update(map(int, numbers))
        with open_collection(tmp_path) as collection:
            stored = {int(item.id) for item in all_items(collection)}
            assert said["added"] - said["deleting"] <= stored
            assert not stored & said["deleted"]
            assert collection.damaged == ()
            for number in list(stored)[-20:]:
                query_D = random_units(1, DIM, seed=number)[0]
                assert collection.search(query_D, k=1).hits[0].id == f"{number:06}"
    assert len(said["added"]) > 20


def all_items(collection: object) -> list[object]:
    """Return every item, page by page."""
    items, cursor = [], None
    while True:
        page = collection.scroll(cursor=cursor, limit=1000)  # type: ignore[attr-defined]
        items += page.items
        cursor = page.cursor
        if cursor is None:
            return items
