"""What a filter costs, with the field indexed and without, at several selectivities.

    OMP_NUM_THREADS=1 python benchmarks/filters.py [--items 100000] [--rounds 15]

Each item has the same number under two fields, of which one is indexed; the same queries are asked
in turn with a filter on the one, on the other, and without a filter, in one process. The ratio is
that of the medians.

# N = items, D = embedding dimension
"""

from __future__ import annotations

import argparse
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.types import FloatArray
from index.collection import Collection
from index.fields import IndexField
from index.filters import parse_filter
from index.items import NewItem

DIM = 512
ENCODER_ID = "be4c000000000001"
BATCH = 1000
SHARES = (0.0001, 0.001, 0.01, 0.1, 0.5)


def main() -> None:
    """Measure and print one figure a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print(f"machine: {platform.machine()}, {platform.platform()}, SQLite {sqlite3.sqlite_version}")
    with (
        tempfile.TemporaryDirectory() as folder,
        Collection.open(Path(folder), encoder_id=ENCODER_ID, dim=DIM) as collection,
    ):
        seconds = timed(lambda: fill(collection, arguments.items))
        print(f"{arguments.items} items added in {seconds:.1f} s")
        print(f"field indexed in {timed(lambda: collection.write(IndexField('indexed'))):.2f} s")
        for share in SHARES:
            measure(collection, arguments.items, share, arguments.rounds)


def measure(collection: Collection, count: int, share: float, rounds: int) -> None:
    """Time the three kinds of search in turn, and the lookup of the rows alone."""
    store, limit = collection.store, {"lt": count * share}
    fast, slow = (parse_filter({name: limit}) for name in ("indexed", "plain"))
    rows: dict[str, list[float]] = {"fast": [], "slow": []}
    searches: dict[str, list[float]] = {"fast": [], "slow": [], "none": []}
    for query_D in unit_vectors(rounds, seed=1):
        rows["slow"].append(timed(lambda: store.row_ids(store.condition(slow))))
        rows["fast"].append(timed(lambda: store.row_ids(store.condition(fast))))
        for name, chosen in (("slow", slow), ("fast", fast), ("none", None)):
            searches[name].append(
                timed(lambda q=query_D, f=chosen: collection.search(q, k=10, filter=f))  # type: ignore[misc]
            )
    row_ms = {name: 1000 * statistics.median(times) for name, times in rows.items()}
    ms = {name: 1000 * statistics.median(times) for name, times in searches.items()}
    print(
        f"{100 * share:g} %: rows {row_ms['slow']:.2f} ms, indexed {row_ms['fast']:.2f} ms "
        f"({row_ms['slow'] / row_ms['fast']:.0f}x); search {ms['slow']:.2f} ms, indexed "
        f"{ms['fast']:.2f} ms ({ms['slow'] / ms['fast']:.1f}x), no filter {ms['none']:.2f} ms"
    )


def fill(collection: Collection, count: int) -> None:
    """Add items whose numbers are a permutation of 0 to N - 1."""
    numbers = np.random.default_rng(2).permutation(count).tolist()
    vectors_ND = unit_vectors(count, seed=0)
    for start in range(0, count, BATCH):
        collection.upsert(
            [
                NewItem(
                    f"i{row:07}",
                    vectors_ND[row],
                    f"{row:064x}",
                    caption=f"picture number {row} of a benchmark",
                    metadata={
                        "plain": numbers[row],
                        "indexed": numbers[row],
                        "label": f"label {row % 100}",
                        "note": "something else that a gallery keeps of its pictures",
                    },
                )
                for row in range(start, min(start + BATCH, count))
            ]
        )


def unit_vectors(count: int, *, seed: int) -> FloatArray:
    """Return random unit vectors, shape (count, D)."""
    vectors_ND = np.random.default_rng(seed).standard_normal((count, DIM), np.float32)
    normed_ND: FloatArray = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return normed_ND


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
