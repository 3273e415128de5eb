"""The service as people run it: ``sightline serve``, the starter model, example pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent.parent
GALLERY = ROOT / "examples" / "gallery"
PATIENCE_S = 300
"""Of a command; only what is broken takes so long."""


def example_pairs() -> list[dict[str, Any]]:
    """Return the pairs of the example gallery; their images are whole paths."""
    lines = (GALLERY / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    return [{**pair, "image": str(GALLERY / pair["image"])} for pair in pairs]


@contextmanager
def starter_service(folder: Path, pairs: Sequence[dict[str, Any]]) -> Iterator[httpx.Client]:
    """Add pairs to a new gallery in ``folder``, serve it, and yield a client of the service.

    Reports are read from ``folder/reports``. The process is ended, and its port freed, afterwards.
    """
    table = folder / "pairs.jsonl"
    table.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    sightline("add", table, "--gallery", folder / "gallery")
    (folder / "reports").mkdir()
    words = ["serve", "--gallery", folder / "gallery", "--reports", folder / "reports"]
    with subprocess.Popen(
        [*_program(), *map(str, words), "--port", "0"],
        cwd=ROOT,
        env=_environment(SIGHTLINE_ACCESS_LOG="false"),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if line.startswith("Serving on "))
            # What it says from now on is read on, so that a full pipe never stops it.
            reader = threading.Thread(target=process.stderr.read, daemon=True)
            reader.start()
            with httpx.Client(base_url=line.split()[2], timeout=60, trust_env=False) as client:
                yield client
            process.kill()
            reader.join()
        finally:
            process.kill()


def sightline(*words: str | Path) -> str:
    """Run a command of Sightline to its end and return what it prints."""
    done = subprocess.run(
        [*_program(), *map(str, words)],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _program() -> list[str]:
    return [sys.executable, "-m", "cli.main"]


def _environment(**more: str) -> dict[str, str]:
    """Return the environment without settings of whoever runs the tests."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SIGHTLINE_")}
    return {**kept, "SIGHTLINE_COMPILE_CACHE": "off", **more}
