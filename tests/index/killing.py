"""A writer that is killed with SIGKILL again and again, for test_crash.py and benchmarks/crash.py.

The process forks a child for each death, so that everything is imported once. A child compacts at
times, writes with two threads and merges often; it is killed at a random time, or kills itself at
a named fault point. After each death the collection must be whole.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from index import segmented_index
from index.compaction import compact
from index.faults import POINTS, watching
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

WRITERS = ("a", "b")
ANY_TIME = "any time"
_LONGEST_LIFE = 0.3
_PATIENCE = 10.0
_LEAST_DELTA = 40
"""So that merges in the background happen at 1/500 of the usual size."""


@dataclass(slots=True)
class Report:
    """What a loop of deaths did."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    kept_unacknowledged: int = 0
    recovery_seconds: list[float] = field(default_factory=list)

    def as_json(self) -> str:
        """Return it for the parent process."""
        times = sorted(self.recovery_seconds)
        return json.dumps(
            {
                "kills": dict(self.kills),
                "acknowledged": self.acknowledged,
                "kept_unacknowledged": self.kept_unacknowledged,
                "recovery_ms_p50": round(1000 * times[len(times) // 2], 1),
                "recovery_ms_max": round(1000 * times[-1], 1),
            }
        )


def main(folder: Path, *, kills: int, seed: int) -> Report:
    """Kill writers of one collection and look at it after each death."""
    segmented_index._LEAST_DELTA = _LEAST_DELTA
    rng = random.Random(seed)
    gallery, report = folder / "gallery", Report()
    model: Model = {}
    for turn in range(kills):
        logs = {name: folder / f"{turn}-{name}.log" for name in WRITERS}
        point = (ANY_TIME, *POINTS)[turn % (1 + len(POINTS))]
        died = _kill(gallery, model, logs, point=point, rng=rng, seed=seed * 1_000_003 + turn)
        report.kills[died] += 1
        model = _look(gallery, model, logs, report=report, seed=turn)
    return report


def _kill(
    gallery: Path, model: Model, logs: dict[str, Path], *, point: str, rng: random.Random, seed: int
) -> str:
    """Run a writer until it is dead; return where it died."""
    life = rng.uniform(0, _LONGEST_LIFE)
    reaches = rng.randint(1, 40 if point == "commit:done" else 3)
    child = os.fork()
    if child == 0:
        try:
            _write(gallery, model, logs, point=point, reaches=reaches, seed=seed)
        finally:
            os._exit(1)
    if point == ANY_TIME:
        time.sleep(life)
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            point = ANY_TIME
        time.sleep(0.002)
    assert os.WIFSIGNALED(status), "the writer failed by itself"
    return point


def _write(
    gallery: Path, model: Model, logs: dict[str, Path], *, point: str, reaches: int, seed: int
) -> None:
    """Write for ever; never returns but by an error of the product."""
    left = reaches

    def die(reached: str) -> None:
        nonlocal left
        left -= reached == point
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if seed % 4 == 0 and gallery.is_dir():
        compact(gallery)
    with watching(die), open_small(gallery) as collection:
        failed: list[BaseException] = []

        def run(name: str) -> None:
            rng = random.Random(f"{seed} {name}")
            mine = {key: version for key, version in model.items() if key[0] == name}
            log = os.open(logs[name], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                while True:
                    operation = draw(rng, mine, prefix=name, snapshots=name == "a")
                    os.write(log, json.dumps(operation).encode() + b"\n")
                    execute(collection, operation)
                    os.write(log, b"done\n")
                    mine = applied(mine, operation)
            except BaseException as error:
                failed.append(error)
                raise

        threads = [threading.Thread(target=run, args=(name,)) for name in WRITERS]
        for thread in threads:
            thread.start()
        while not failed:
            time.sleep(0.01)


def _look(
    gallery: Path, model: Model, logs: dict[str, Path], *, report: Report, seed: int
) -> Model:
    """Assert that nothing is lost, half or back from the dead; return what the collection holds."""
    began = time.perf_counter()
    # A death before the first commit may leave no gallery for a reader.
    read_only = seed % 2 == 1 and bool(model)
    with open_small(gallery, read_only=read_only) as collection:
        report.recovery_seconds.append(time.perf_counter() - began)
        held = stored(collection)
        for name, log in logs.items():
            text = log.read_text() if log.exists() else ""
            lines = [line[:-1] for line in text.splitlines(keepends=True) if line.endswith("\n")]
            start, mine = _of(model, name), _of(held, name)
            allowed = allowed_models(lines, start)
            assert mine in allowed, f"turn {seed}, writer {name}: {_difference(mine, allowed)}"
            report.acknowledged += lines.count("done")
            report.kept_unacknowledged += mine != allowed[0]
        check_whole(collection, held, seed=seed)
    return held


def _of(model: Model, writer: str) -> Model:
    return {key: version for key, version in model.items() if key[0] == writer}


def _difference(held: Model, allowed: list[Model]) -> str:
    return "; or ".join(str(set(held.items()) ^ set(model.items())) for model in allowed)


if __name__ == "__main__":
    done = main(Path(sys.argv[1]), kills=int(sys.argv[2]), seed=int(sys.argv[3]))
    sys.stdout.write(done.as_json())
