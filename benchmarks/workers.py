"""A contender in a process of its own, asked over its standard streams.

One line of JSON asks, one answers. All are loaded once and idle while another is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.environments import ROOT
from core.types import JSONObject

Task = Callable[..., JSONObject]
"""Takes the words of a question, returns those of the answer; ``figure`` is the measured number."""


def serve(tasks: Mapping[str, Task]) -> None:
    """Answer until the standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # Libraries print what they like; the answers have a stream of their own.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for asked in sys.stdin:
        words = json.loads(asked)
        found = tasks[words.pop("task")](**words)
        print(json.dumps(found), file=answers, flush=True)


class Worker:
    """A side in its process."""

    def __init__(self, name: str, words: Sequence[str], *, threads: int, log: Path) -> None:
        """Start it; ``wait_until_ready`` waits for its model."""
        self.name, self._log = name, log
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def wait_until_ready(self) -> None:
        """Wait for the model.

        Raises:
            RuntimeError: the process ended, with the last line that it said.
        """
        self._answer()

    def ask(self, task: str, **words: object) -> float:
        """Have one task done and return its figure; 0 where it has none.

        Raises:
            RuntimeError: the process ended, with the last line that it said.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"task": task, **words}) + "\n")
            self._process.stdin.flush()
        return float(self._answer().get("figure", 0))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            self._process.wait()
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RuntimeError(f"{self.name} ended: {said[-1] if said else 'without a word'}")
        found: dict[str, float] = json.loads(text)
        return found


@contextlib.contextmanager
def workers(started: Sequence[Worker]) -> Iterator[Sequence[Worker]]:
    """End all of them in any case."""
    try:
        yield started
    finally:
        for worker in started:
            worker.close()
