"""A part of ``make bench``: what it may do, and how it is run by hand or by the driver.

    python -m benchmarks.embedding [--quick] [--only bulk] [--rows FILE]

Every part prints its own table; with ``--rows`` each line is also appended to a file as soon as it
is measured, so that nothing is lost when a later one fails.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_rows import Row, as_json, from_json, table
from benchmarks.environments import FOLDER


@dataclass(frozen=True, slots=True)
class Plan:
    """How much there is to measure."""

    is_quick: bool = False
    """Few rounds and small data: the figures for a look, not for a claim."""
    folder: Path = FOLDER
    """Where models, photographs and peers lie from one run to the next."""
    threads: int = len(os.sched_getaffinity(0))
    """Of every side: all cores that this process may use."""
    only: tuple[str, ...] = ()
    """Sections of the part; empty for all."""

    def rounds(self, *, quick: int, full: int) -> int:
        """Return how often both sides are measured in turn."""
        return quick if self.is_quick else full

    def wants(self, name: str) -> bool:
        """Return whether a section of the part is asked for."""
        return not self.only or name in self.only


Measure = Callable[[Plan], Iterable[Row]]


def run_part(measure: Measure, description: str | None, *, sections: Sequence[str] = ()) -> None:
    """Parse the command line, measure and print the table."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="Few rounds and small data.")
    parser.add_argument("--rows", type=Path, help="File that each row is appended to as JSON.")
    if sections:
        parser.add_argument("--only", nargs="+", choices=sections, default=())
    asked = parser.parse_args()
    plan = Plan(is_quick=asked.quick, only=tuple(getattr(asked, "only", ())))
    rows = []
    for row in measure(plan):
        rows.append(row)
        if asked.rows:
            append_row(asked.rows, row)
    print(table(rows), flush=True)


def append_row(path: Path, row: Row) -> None:
    """Add one row to a file of rows."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(as_json(row)) + "\n")


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file that may still be written to; none if it is not there yet."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [from_json(json.loads(text)) for text in lines if text.endswith("\n")]
