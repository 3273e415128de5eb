"""Contenders in processes of their own: asked, answered, and ended in any case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import workers
from benchmarks.environments import ROOT
from benchmarks.workers import Worker

SIDE = """
from benchmarks.workers import serve

def double(*, number):
    print("a library that prints what it likes")
    return {"figure": 2 * number}

def fail():
    raise ValueError("the model is broken")

def nothing():
    return {}

serve({"double": double, "fail": fail, "nothing": nothing})
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Worker]:
    """Return how to start a worker from a script."""
    monkeypatch.setattr(workers, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(script: str) -> Worker:
        (tmp_path / "a_side.py").write_text(script, encoding="utf-8")
        return Worker("a side", ["a_side"], threads=1, log=tmp_path / "log.txt")

    return run


def test_a_worker_answers_over_what_libraries_print(start: Callable[[str], Worker]) -> None:
    """Answers have a stream of their own."""
    with workers.workers([start(SIDE)]) as (worker,):
        worker.wait_until_ready()

        assert [worker.ask("double", number=number) for number in (1, 4)] == [2.0, 8.0]
        assert worker.ask("nothing") == 0.0


def test_what_a_worker_dies_of_is_told(start: Callable[[str], Worker]) -> None:
    """The last line that it said, with the side's name."""
    with workers.workers([start(SIDE)]) as (worker,):
        worker.wait_until_ready()

        with pytest.raises(RuntimeError, match="a side ended: ValueError: the model is broken"):
            worker.ask("fail")


def test_a_worker_that_does_not_start_says_why(start: Callable[[str], Worker]) -> None:
    """A model that cannot be loaded."""
    with (
        workers.workers([start("raise SystemExit('no such model')")]) as (worker,),
        pytest.raises(RuntimeError, match="no such model"),
    ):
        worker.wait_until_ready()
