"""The collection beside raw FAISS: search latency, durable adds, opening.

    OMP_NUM_THREADS=1 python benchmarks/collection.py [--items 100000] [--rounds 100]

Collection and a plain ``faiss.IndexFlatIP`` hold the same random unit vectors and answer the same
queries in turn, in one process; the ratio is that of the medians.

# N = items, Q = queries, D = embedding dimension
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np

from core.types import FloatArray
from index.collection import Collection
from index.items import NewItem

DIM = 512
ENCODER_ID = "be4c000000000001"
BATCH = 256
K = 10


def main() -> None:
    """Measure and print one figure a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(f"machine: {platform.machine()}, {platform.platform()}, FAISS {faiss.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for count in (400, arguments.items):
            measure_search(Path(folder) / str(count), count, arguments.rounds)
        measure_writers(Path(folder) / "writers")


def measure_search(folder: Path, count: int, rounds: int) -> None:
    """Fill a collection, then time searches in turn with raw FAISS, then time opening it."""
    vectors_ND, queries_QD = unit_vectors(count, seed=0), unit_vectors(rounds, seed=1)
    with Collection.open(folder, encoder_id=ENCODER_ID, dim=DIM) as collection:
        seconds = timed(lambda: fill(collection, vectors_ND))
        print(f"{count} items: durable adds in batches of {BATCH}: {count / seconds:.0f}/s")
        flat = faiss.IndexFlatIP(DIM)
        flat.add(vectors_ND)
        ours, raw = [], []
        for query_D in queries_QD:
            ours.append(timed(lambda q=query_D: collection.search(q, k=K)))  # type: ignore[misc]
            raw.append(timed(lambda q=query_D: flat.search(q[None], K)))  # type: ignore[misc]
        print_pair(f"{count} items: search, k {K}", ours, raw)
        collection.snapshot()
    opened = timed(lambda: Collection.open(folder, encoder_id=ENCODER_ID, dim=DIM).close())
    print(f"{count} items: open with a snapshot: {opened:.2f} s")


def measure_writers(folder: Path) -> None:
    """Time single durable adds from one thread and from 32 at once."""
    items = new_items(unit_vectors(2000, seed=2))
    with Collection.open(folder, encoder_id=ENCODER_ID, dim=DIM) as collection:
        one = timed(lambda: [collection.upsert([item]) for item in items[:200]])
        print(f"durable adds one by one, 1 thread: {200 / one:.0f}/s")
        with ThreadPoolExecutor(32) as pool:
            many = timed(
                lambda: list(pool.map(lambda item: collection.upsert([item]), items[200:]))
            )
        print(f"durable adds one by one, 32 threads: {1800 / many:.0f}/s")


def fill(collection: Collection, vectors_ND: FloatArray) -> None:
    """Add all vectors in batches."""
    items = new_items(vectors_ND)
    for start in range(0, len(items), BATCH):
        collection.upsert(items[start : start + BATCH])


def new_items(vectors_ND: FloatArray) -> list[NewItem]:
    """Return an item for each vector."""
    return [
        NewItem(f"i{row}", vector_D, hashlib.sha256(str(row).encode()).hexdigest())
        for row, vector_D in enumerate(vectors_ND)
    ]


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


def print_pair(title: str, ours_s: Sequence[float], raw_s: Sequence[float]) -> None:
    """Print both medians in milliseconds and their ratio."""
    ours, raw = (1000 * statistics.median(times) for times in (ours_s, raw_s))
    print(f"{title}: p50 {ours:.2f} ms, raw FAISS {raw:.2f} ms, ratio {ours / raw:.2f}")


if __name__ == "__main__":
    main()
