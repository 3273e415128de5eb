"""The log of a run as one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from core.artifacts import write_atomic
from training.logs.sink import Kind

METRICS_NAME = "metrics.jsonl"


class JsonLines:
    """Appends to ``metrics.jsonl`` of a run's folder."""

    def __init__(self, folder: Path, *, first_step: int) -> None:
        """Open the file; later lines than ``first_step``, left by a killed run, are dropped."""
        path = folder / METRICS_NAME
        _drop_after(path, first_step)
        self._file = path.open("a", encoding="utf-8")

    def write(self, kind: Kind, *, step: int, values: Mapping[str, float]) -> None:
        """Append one line and flush it.

        Raises:
            ValueError: a value is NaN or infinite, which strict JSON cannot hold.
        """
        line = json.dumps({"kind": kind, "step": step, **values}, allow_nan=False)
        self._file.write(line + "\n")
        self._file.flush()

    def close(self, *, failed: bool) -> None:
        """Close the file."""
        self._file.close()


def _drop_after(path: Path, first_step: int) -> None:
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _is_kept(line, first_step)]
    write_atomic(path, "".join(f"{line}\n" for line in kept).encode())


def _is_kept(line: str, first_step: int) -> bool:
    try:
        return int(json.loads(line)["step"]) <= first_step
    except (ValueError, KeyError, TypeError):
        # A line that a crash cut short.
        return False
