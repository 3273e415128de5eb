"""The index beside raw FAISS, autofaiss, hnswlib and usearch, with text-like queries apart.

    OMP_NUM_THREADS=1 python -m benchmarks.indexes [--n 100000] [--queries 200] [--part all]

One process, one thread. Contenders answer each query in turn, so a busy machine is busy for all of
them: read ratios. ann_recall@10 is against exact search.

# N = rows, Q = queries, D = embedding dimension
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from benchmarks.index_data import DIM, make_vectors
from benchmarks.index_peers import Peer, peers, raw_faiss
from core.artifacts import sha256_file
from core.types import FloatArray, IdArray
from index.index_plan import IndexPlan, make_plan, resident_bytes
from index.segment_file import open_segment
from index.segmented_index import SegmentedIndex
from index.tuning import Queries, tune

K = 10
PARTS = ("search", "peers", "tune", "filter", "recovery")


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    vectors_ND, images_QD, texts_QD = make_vectors(arguments.n, arguments.queries)
    print(f"N = {arguments.n}, D = {DIM}, FAISS {faiss.__version__}, k = {K}")
    parts = PARTS if arguments.part == "all" else (arguments.part,)
    with tempfile.TemporaryDirectory() as folder:
        filled = SegmentedIndex(DIM)
        filled.upsert(np.arange(len(vectors_ND)), vectors_ND)
        if "search" in parts:
            measure_search(filled, vectors_ND, images_QD, texts_QD, Path(folder))
        if "peers" in parts:
            compare([flat(vectors_ND), *peers(vectors_ND)], vectors_ND, images_QD, texts_QD)
        if "tune" in parts:
            measure_tuning(filled, images_QD, texts_QD, Path(folder))
        if "filter" in parts:
            measure_filters(filled, vectors_ND, texts_QD, Path(folder))
        if "recovery" in parts:
            measure_recovery(filled, Path(folder))


def plans(count: int) -> list[IndexPlan]:
    """Return one plan of each kind, with usual settings."""
    return [
        IndexPlan("flat"),
        IndexPlan("flat-fp16"),
        make_plan("ivf-sq8", count, probes=16, depth=256),
        make_plan("ivf-rabitq", count, probes=16),
        make_plan("ivf-pq", count, probes=16),
        make_plan("pq", count),
    ]


def measure_search(
    filled: SegmentedIndex,
    vectors_ND: FloatArray,
    images_QD: FloatArray,
    texts_QD: FloatArray,
    folder: Path,
) -> None:
    """Compare every kind with raw FAISS at the same settings."""
    for plan in plans(len(vectors_ND)):
        # Plain FAISS has no exact float16: it re-ranks a few candidates of the codes.
        theirs = IndexPlan(plan.kind, 0, 0, 128) if plan.kind == "flat-fp16" else plan
        pair = [ours(plan, filled, folder), raw_faiss(theirs, vectors_ND)]
        compare(pair, vectors_ND, images_QD, texts_QD)


def ours(plan: IndexPlan, filled: SegmentedIndex, folder: Path) -> Peer:
    """Return our index, everything in a mapped base of the plan."""
    started = time.perf_counter()
    index = based(plan, filled, folder)
    build_s = time.perf_counter() - started

    def search(query_D: FloatArray, k: int) -> IdArray:
        found = index.search(query_D[np.newaxis], count=k)[0]
        rows: IdArray = found.row_ids_K[np.lexsort((found.row_ids_K, -found.scores_K))[:k]]
        return rows

    memory = resident_bytes(plan.kind, filled.count(), DIM) / 2**20
    return Peer(f"ours {plan.kind} ({plan.describe()})", search, build_s, memory)


def based(plan: IndexPlan, filled: SegmentedIndex, folder: Path) -> SegmentedIndex:
    """Return a new index whose base has the plan."""
    path = folder / f"{plan.kind}.segment"
    filled.snapshot(path, plan=plan)
    index = SegmentedIndex(DIM)
    index.restore(path)
    return index


def flat(vectors_ND: FloatArray) -> Peer:
    """Return exact search by plain FAISS."""
    return raw_faiss(IndexPlan("flat"), vectors_ND)


def compare(
    contenders: Sequence[Peer], vectors_ND: FloatArray, images_QD: FloatArray, texts_QD: FloatArray
) -> None:
    """Let all contenders answer each query in turn; print a line for each."""
    lines = [
        [f"{peer.name:44} build {peer.build_s:6.1f} s {peer.memory_mb:6.0f} MB"]
        for peer in contenders
    ]
    for name, queries_QD in (("text", texts_QD), ("image", images_QD)):
        exact_QK = faiss.knn(queries_QD, vectors_ND, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
        times = np.empty((len(contenders), len(queries_QD)))
        recalls = np.empty_like(times)
        for place, query_D in enumerate(queries_QD):
            for number, peer in enumerate(contenders):
                started = time.perf_counter()
                found_K = peer.search(query_D, K)
                times[number, place] = 1000 * (time.perf_counter() - started)
                recalls[number, place] = len(set(found_K) & set(exact_QK[place])) / K
        for number, line in enumerate(lines):
            p50, p99 = np.percentile(times[number], [50, 99])
            ratio = p50 / np.median(times[-1])
            line.append(
                f"{name}: recall {recalls[number].mean():.3f} p50 {p50:.2f} p99 {p99:.2f} ms "
                f"(x {ratio:.2f} of the last)"
            )
    print("\n".join("  ".join(line) for line in lines), flush=True)


def measure_tuning(
    filled: SegmentedIndex, images_QD: FloatArray, texts_QD: FloatArray, folder: Path
) -> None:
    """Tune, and print what was measured and chosen."""
    filled.snapshot(folder / "rows.segment", plan=IndexPlan())
    started = time.perf_counter()
    rows = open_segment(folder / "rows.segment", dim=DIM)
    found = tune(rows, Queries(texts_QD, images_QD), k=K, target=0.95)
    print(f"tuned in {time.perf_counter() - started:.0f} s to text ann_recall@{K} >= 0.95")
    for row in found.measured:
        mark = "->" if row is found.chosen else "  "
        print(
            f"{mark} {row.plan.kind:10} probes {row.plan.probes:4} depth {row.plan.depth:5} "
            f"text {row.text.recall.mean:.3f} ({row.text.recall.low:.3f}) "
            f"{row.text.p50_ms:.2f} ms  image {row.image.recall.mean:.3f} "
            f"{row.image.p50_ms:.2f} ms"
        )


def measure_filters(
    filled: SegmentedIndex, vectors_ND: FloatArray, texts_QD: FloatArray, folder: Path
) -> None:
    """Search random subsets of several sizes, exact and approximate."""
    rng = np.random.default_rng(1)
    wanted = (IndexPlan("flat-fp16"), make_plan("ivf-sq8", len(vectors_ND), probes=16))
    indexes = [based(plan, filled, folder) for plan in wanted]
    for share in (0.0001, 0.001, 0.01, 0.1, 0.5):
        allowed_N = np.sort(
            rng.permutation(len(vectors_ND))[: max(1, int(share * len(vectors_ND)))]
        )
        line = []
        for index in indexes:
            times, recalls, found = [], [], None
            for query_D in texts_QD[:50]:
                scores_N = vectors_ND[allowed_N] @ query_D
                started = time.perf_counter()
                (found,) = index.search(query_D[np.newaxis], count=K, allowed_N=allowed_N)
                times.append(1000 * (time.perf_counter() - started))
                best = min(K, len(allowed_N))
                floor = np.sort(scores_N)[-best] - 1e-6
                recalls.append(min(1.0, np.sum(found.scores_K >= floor) / best))
            assert found is not None
            line.append(f"{found.plan}: {np.median(times):.2f} ms recall {np.mean(recalls):.3f}")
        print(f"filter {share:8.2%}: " + "  |  ".join(line), flush=True)


def measure_recovery(filled: SegmentedIndex, folder: Path) -> None:
    """Time what a start does with a snapshot: verify its digest, map it, answer a query."""
    for plan in (IndexPlan("flat"), make_plan("ivf-sq8", filled.count())):
        path = folder / f"recovery-{plan.kind}.segment"
        filled.snapshot(path, plan=plan)
        started = time.perf_counter()
        sha256_file(path)
        hashed = time.perf_counter() - started
        index = SegmentedIndex(DIM)
        index.restore(path)
        index.search(np.eye(1, DIM, dtype=np.float32), count=K)
        took = time.perf_counter() - started
        print(
            f"recovery {plan.kind}: {took:.2f} s ({hashed:.2f} s of it the digest), "
            f"{took * 1e6 / filled.count():.1f} s per million"
        )


if __name__ == "__main__":
    main()
