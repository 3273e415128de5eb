"""``make bench``: the peers installed, everything measured in turn with them, one table of ratios.

    python -m benchmarks.bench [--quick] [--only embedding bulk] [--no-results]

Each part is a process with a time limit. What fails is a line that says so, and the rest goes on.
Rows go to ``data/bench/results.json`` as they come and, at the end or after Ctrl-C, into their
section of ``benchmarks/RESULTS.md``. Parts run on the processor alone; a GPU is never used.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import environments
from benchmarks.bench_part import Plan, read_rows
from benchmarks.bench_results import RESULTS, machine_name, section, write_section
from benchmarks.bench_rows import Row, line, table, tally, write_rows
from core.types import JSONObject

_POLL_S = 0.5
_GRACE_S = 10


@dataclass(frozen=True, slots=True)
class Part:
    """A benchmark and how long it may take."""

    module: str
    """In ``benchmarks``; it takes ``--quick`` and ``--rows FILE``."""
    about: str
    quick_s: int
    full_s: int
    peers: tuple[str, ...] = ()
    """Environments that it wants; without them it says so in its rows."""

    def limit_s(self, *, is_quick: bool) -> int:
        """Return the seconds after which it is ended."""
        return self.quick_s if is_quick else self.full_s


PARTS = (
    Part("bench_models", "the model of all sides, made and tuned once", 900, 1800),
    Part("roofline", "matrix products and memory of this machine", 180, 900),
    Part("embedding", "JPEGs and texts to vectors, beside open_clip", 600, 5400),
    Part("preprocessing", "JPEGs to pixels, beside open_clip's transform", 180, 900),
    Part("text_search", "text search over HTTP, beside the model alone", 180, 900),
    Part("bulk", "adding a folder, beside clip-retrieval", 420, 5400, ("clip-retrieval",)),
    Part("serving", "embeddings over HTTP, beside infinity", 300, 1800, ("infinity",)),
    Part("scoring", "metrics, beside ranx and CLIP_benchmark", 240, 1800, ("evaluation",)),
)


def main() -> None:
    """Run the parts that are asked for, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="About ten minutes on two cores.")
    parser.add_argument("--only", nargs="+", choices=[part.module for part in PARTS[1:]])
    parser.add_argument("--no-results", action="store_true", help="Leave RESULTS.md as it is.")
    asked = parser.parse_args()
    first, *others = PARTS
    parts = [first, *(part for part in others if not asked.only or part.module in asked.only)]
    plan = Plan(is_quick=asked.quick)
    command = " ".join(["python -m benchmarks.bench", *sys.argv[1:]])
    rows: list[Row] = []
    machine = machine_name()
    print(f"machine: {machine}", flush=True)
    # A plain `kill` stops it as Ctrl-C does, also where a shell started it in the background.
    for word in (signal.SIGINT, signal.SIGTERM):
        signal.signal(word, signal.default_int_handler)
    try:
        run(parts, plan, rows)
    except KeyboardInterrupt:
        print("\nstopped; the rows so far are kept", flush=True)
        raise SystemExit(130) from None
    finally:
        report(rows, command=command, machine=machine, to=None if asked.no_results else RESULTS)


def run(parts: Sequence[Part], plan: Plan, rows: list[Row]) -> None:
    """Install the peers, then run each part and add its rows to ``rows``."""
    for name in dict.fromkeys(peer for part in parts for peer in part.peers):
        try:
            installed = environments.install(name, folder=plan.folder)
            print(f"peer {name}: {installed.folder}", flush=True)
        except environments.PeerMissingError as error:
            # The part that wants it says so in a row; here is the reason as soon as it is known.
            print(f"peer {name}: not installed: {error}", flush=True)
    for number, part in enumerate(parts, start=1):
        limit_s = part.limit_s(is_quick=plan.is_quick)
        print(f"\n[{number}/{len(parts)}] {part.about} (at most {limit_s} s)", flush=True)
        started = time.monotonic()
        run_part(part, plan, rows)
        print(f"{part.module} took {time.monotonic() - started:.0f} s", flush=True)


def run_part(part: Part, plan: Plan, rows: list[Row]) -> None:
    """Run one part in a process of its own; its rows are added, kept and printed as they come."""
    limit_s = part.limit_s(is_quick=plan.is_quick)
    with tempfile.TemporaryDirectory() as folder:
        found, log = Path(folder) / "rows.jsonl", Path(folder) / "log.txt"
        words = [sys.executable, "-m", f"benchmarks.{part.module}", "--rows", str(found)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*words, *(["--quick"] if plan.is_quick else [])],
                cwd=environments.ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        known, deadline = len(rows), time.monotonic() + limit_s
        try:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                take(rows, read_rows(found)[len(rows) - known :], plan.folder)
            reason = why(process.poll(), log, limit_s)
        finally:
            end(process)
            take(rows, read_rows(found)[len(rows) - known :], plan.folder)
        if reason:
            take(rows, [Row(part.module, f"{part.about}: the rest", reason=reason)], plan.folder)


def why(status: int | None, log: Path, limit_s: float) -> str:
    """Return why a part has no more rows; empty where it ended well."""
    if status is None:
        return f"failed: took more than {limit_s:.0f} s"
    if status == 0:
        return ""
    said = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((text.strip() for text in reversed(said) if text.strip()), "without a word")
    return f"failed: {last[:300]}"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a part with all that it started: first asked, then made."""
    for word, patience_s in ((signal.SIGINT, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, word)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience_s)


def take(rows: list[Row], new: Sequence[Row], folder: Path) -> None:
    """Add rows, print them and write all that there are."""
    for row in new:
        rows.append(row)
        print(line(row), flush=True)
    if new:
        about: JSONObject = {"written": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        write_rows(folder / "results.json", rows, about=about)


def report(rows: Sequence[Row], *, command: str, machine: str, to: Path | None) -> None:
    """Print the table and write it into the results."""
    if not rows:
        return
    print(f"\n{table(rows)}\n\n{tally(rows)}", flush=True)
    if to is not None:
        write_section(to, section(rows, command=command, machine=machine))
        print(f"written to {to}", flush=True)


if __name__ == "__main__":
    main()
