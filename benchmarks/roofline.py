"""What the machine can do: matrix products of each type, reading and copying memory.

    python -m benchmarks.roofline [--quick] [--only products memory search]

Products are those of the layers of a ViT-B, the best of torch's and of OpenVINO's with weights
packed before. Memory is read and copied by NumPy, in arrays far larger than the caches. The exact
search of a collection is held against what reading its 8-bit codes once takes at that rate; a part
of them lies in the caches.

# D = embedding dimension
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Row
from benchmarks.collection import DIM, ENCODER_ID, K, fill, timed, unit_vectors
from benchmarks.workers import Worker, workers
from index.collection import Collection

PART = "roofline"
KINDS = ("float32", "bfloat16", "int8")
ARRAY_BYTES = 512 << 20
_SEARCHES = 20


def measure(plan: Plan) -> Iterator[Row]:
    """Yield the rows of each section."""
    if plan.wants("products"):
        yield from products(plan)
    if plan.wants("memory"):
        yield from memory(plan)
    if plan.wants("search"):
        yield search(plan)


def products(plan: Plan) -> Iterator[Row]:
    """Yield the best rates of matrix products, measured a few times."""
    log = plan.folder / "log" / "roofline.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    words = ["benchmarks.roofline_worker"]
    with workers([Worker("matrix products", words, threads=plan.threads, log=log)]) as (worker,):
        worker.wait_until_ready()
        for kind in KINDS:
            for threads in sorted({1, plan.threads}):
                rates = [
                    worker.ask("product", kind=kind, threads=threads) for _ in range(_rounds(plan))
                ]
                what = f"matrix product, {kind}, {threads} thread(s)"
                yield Row(PART, what, unit="GFLOP/s", beside="this machine", theirs=tuple(rates))


def memory(plan: Plan) -> Iterator[Row]:
    """Yield how quickly memory is read and copied; a copy counts the bytes of both sides."""
    for threads in sorted({1, plan.threads}):
        for what, act, times in (("read", read, 1), ("copied", copy, 2)):
            rates = [times * gigabytes_a_second(act, threads) for _ in range(_rounds(plan))]
            name = f"memory {what}, {threads} thread(s)"
            yield Row(PART, name, unit="GB/s", beside="this machine", theirs=tuple(rates))


def search(plan: Plan) -> Row:
    """Return what share of the rate of memory the exact search of a collection reaches."""
    items = 20_000 if plan.is_quick else 100_000
    ours, limit = [], []
    with tempfile.TemporaryDirectory() as folder:
        with Collection.open(Path(folder), encoder_id=ENCODER_ID, dim=DIM) as collection:
            fill(collection, unit_vectors(items, seed=0))
            collection.snapshot()
        with Collection.open(Path(folder), encoder_id=ENCODER_ID, dim=DIM) as collection:
            for round_number in range(_rounds(plan)):
                queries = unit_vectors(_SEARCHES, seed=round_number)
                times = [timed(lambda q=query_D: collection.search(q, k=K)) for query_D in queries]
                ours.append(items * DIM / float(np.median(times)) / 1e9)
                limit.append(gigabytes_a_second(read, plan.threads))
    return Row(
        PART,
        f"exact search of {items} x {DIM}, its 8-bit codes read once",
        unit="GB/s",
        ours=tuple(ours),
        beside=f"memory read, {plan.threads} thread(s)",
        theirs=tuple(limit),
        is_limit=True,
    )


def gigabytes_a_second(act: Callable[[np.ndarray], object], threads: int) -> float:
    """Return the bytes of the arrays that ``act`` goes through a second, in so many threads."""
    arrays = [np.ones(ARRAY_BYTES // 4 // threads, np.float32) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(act, arrays))
        started = time.perf_counter()
        list(pool.map(act, arrays))
        return ARRAY_BYTES / (time.perf_counter() - started) / 1e9


def read(array: np.ndarray) -> None:
    """Go through an array once: the largest of its numbers, which needs no arithmetic."""
    array.max()


def copy(array: np.ndarray) -> None:
    """Copy one half of an array over the other, twice: as many bytes read as the array has."""
    half = len(array) // 2
    for _ in range(2):
        np.copyto(array[half : 2 * half], array[:half])


def _rounds(plan: Plan) -> int:
    return plan.rounds(quick=2, full=5)


if __name__ == "__main__":
    run_part(measure, __doc__, sections=("products", "memory", "search"))
