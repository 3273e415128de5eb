"""Retrieval evaluation beside CLIP_benchmark and ranx: the same vectors, the same figures, in turn.

    python -m venv peer    # the peers' own environment
    peer/bin/pip install torch ranx tqdm && peer/bin/pip install --no-deps clip-benchmark
    python -m benchmarks.evaluation --peer peer/bin/python [--rounds 2]

Every run is a process of its own. The clock runs from vectors in memory to figures; imports,
reading and the compilation of ranx's functions are not counted. It fails where figures differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
QUERIES_APART = 2
"""Queries on which systems may differ: scores that are equal but for rounding."""
_ROUNDING = 1e-6
"""CLIP_benchmark's means are in float32."""
_PATIENCE_S = 1800


@dataclass(frozen=True, slots=True)
class Contender:
    """A command that prints one run as JSON."""

    name: str
    words: tuple[str, ...]
    rounds: int | None = None
    """Run in the first so many rounds only; ``None``: in all."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a contender."""

    seconds: float
    before_mb: float
    """Most memory before the clock started: libraries and vectors."""
    peak_mb: float
    figures: Mapping[str, float]
    failed: str


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="Python of the peers' environment.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--images", type=int, default=5000, help="With five captions each.")
    parser.add_argument("--dim", type=int, default=512, help="Of those.")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--pairs-dim", type=int, default=64, help="Of those.")
    asked = parser.parse_args()
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, Python {sys.version[:7]}")
    with tempfile.TemporaryDirectory() as folder:
        captioned, pairs = Path(folder) / "captioned", Path(folder) / "pairs"
        make(captioned, images=asked.images, captions=5, dim=asked.dim)
        make(pairs, images=asked.pairs, captions=1, dim=asked.pairs_dim)
        size = f"{asked.images} images, {5 * asked.images} captions, {asked.dim}-d"
        contenders = [ours(captioned, "both"), peer(asked.peer, captioned, "ranx_both")]
        contenders.append(peer(asked.peer, captioned, "clip_benchmark"))
        queries = {"text_to_image": 5 * asked.images, "image_to_text": asked.images}
        report(f"{size}, both directions", in_turn(contenders, asked.rounds), queries)
        size = f"{asked.pairs} captions, {asked.pairs} images, {asked.pairs_dim}-d"
        contenders = [ours(pairs, "text"), peer(asked.peer, pairs, "ranx_text")]
        contenders.append(peer(asked.peer, pairs, "clip_benchmark"))
        runs = in_turn(contenders, max(1, asked.rounds - 1))
        report(f"{size}, text to image", runs, {"text_to_image": asked.pairs})
        (part,) = in_turn([peer(asked.peer, pairs, "clip_benchmark_slice")], 1).values()
        print(f"CLIP_benchmark's recall of some queries, times all: {part[0].figures}")
        runs = in_turn([ours(pairs, "comparison")], asked.rounds)
        report(f"{asked.pairs} queries, two systems compared by 5 metrics", runs, {})


def make(folder: Path, *, images: int, captions: int, dim: int) -> None:
    """Write data in a process of its own: children inherit the peak memory of their parent."""
    sizes = {"--images": images, "--captions": captions, "--dim": dim}
    words = [sys.executable, "-m", "benchmarks.evaluation_data", str(folder)]
    words += [word for name, value in sizes.items() for word in (name, str(value))]
    subprocess.run(words, cwd=ROOT, check=True)


def ours(folder: Path, task: str) -> Contender:
    """Return Sightline's side."""
    words = (sys.executable, "-m", "benchmarks.evaluation_ours", str(folder), "--task", task)
    return Contender("sightline", words)


def peer(python: str, folder: Path, contender: str) -> Contender:
    """Return a peer's side."""
    script = str(ROOT / "benchmarks" / "evaluation_peers.py")
    name = "ranx after torch's search" if contender.startswith("ranx") else "CLIP_benchmark"
    words = (python, script, str(folder), "--contender", contender)
    # CLIP_benchmark takes minutes: once has to be enough.
    return Contender(name, words, rounds=None if contender.startswith("ranx") else 1)


def in_turn(contenders: Sequence[Contender], rounds: int) -> dict[str, list[Run]]:
    """Return the runs of each contender, one after the other in every round."""
    found: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds):
        for contender in contenders:
            if contender.rounds is None or turn < contender.rounds:
                found[contender.name].append(run(contender))
    return found


def run(contender: Contender) -> Run:
    """Run a contender once."""
    done = subprocess.run(
        contender.words, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    if done.returncode:
        sys.exit(f"{contender.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    read = json.loads(done.stdout.splitlines()[-1])
    return Run(
        read["seconds"],
        read["before_mb"],
        read["peak_mb"],
        read["figures"],
        read.get("failed", ""),
    )


def report(title: str, runs: Mapping[str, Sequence[Run]], queries: Mapping[str, int]) -> None:
    """Print a table; a ratio below 1 means that the first line is quicker.

    Exits where a peer's figure is not ours.
    """
    print(f"\n| {title} | seconds (least-most) | first / this | peak MB | of it before |")
    print("|---|---|---|---|---|")
    first = next(iter(runs.values()))
    for name, found in runs.items():
        print(row(name, found, statistics.median(one.seconds for one in first)), flush=True)
    for name, found in runs.items():
        if found is not first:
            count = min(check(name, first[0].figures, one.figures, queries) for one in found)
            print(f"{count} figures of {name} are the same")


def row(name: str, runs: Sequence[Run], first_seconds: float) -> str:
    """Return the line of a contender."""
    peak, before = max(one.peak_mb for one in runs), max(one.before_mb for one in runs)
    if runs[0].failed:
        return f"| {name} | failed: {runs[0].failed[:90]} | | {peak:.0f} | {before:.0f} |"
    seconds = [one.seconds for one in runs]
    middle = statistics.median(seconds)
    spread = f"{middle:.2f} ({min(seconds):.2f}-{max(seconds):.2f}, {len(seconds)} runs)"
    return f"| {name} | {spread} | {first_seconds / middle:.2f} | {peak:.0f} | {before:.0f} |"


def check(
    name: str,
    own: Mapping[str, float],
    theirs: Mapping[str, float],
    queries: Mapping[str, int],
) -> int:
    """Return how many figures both have; exit if one is off by more than two queries."""
    shared = sorted(own.keys() & theirs.keys())
    for figure in shared:
        allowed = QUERIES_APART / queries[figure.split()[0]] + _ROUNDING
        if abs(theirs[figure] - own[figure]) > allowed:
            sys.exit(f"{name}: {figure} is {theirs[figure]}, ours {own[figure]}")
    return len(shared)


if __name__ == "__main__":
    main()
