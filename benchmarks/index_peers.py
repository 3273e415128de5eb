"""The indexes that ours is measured beside: each finds row numbers for one query.

autofaiss, hnswlib and usearch are measured where they are installed.

# N = rows, D = embedding dimension, K = hits
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from core.types import FloatArray, IdArray
from index.index_plan import IndexPlan, factory_string

_faiss: Any = faiss
Search = Callable[[FloatArray, int], IdArray]
"""Query (D,) and K in, row numbers (K,) out."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One contender."""

    name: str
    search: Search
    build_s: float
    memory_mb: float


def raw_faiss(plan: IndexPlan, vectors_ND: FloatArray) -> Peer:
    """Return plain FAISS with the settings of a plan: the same codes, probes and re-ranking."""
    started = time.perf_counter()
    if plan.kind == "flat":
        index = _faiss.IndexFlatIP(vectors_ND.shape[1])
    else:
        factory = f"{factory_string(plan, vectors_ND.shape[1])},RFlat"
        index = _faiss.index_factory(vectors_ND.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors_ND[: 64 * max(plan.lists, 512)])
    index.add(vectors_ND)
    build_s = time.perf_counter() - started

    def search(query_D: FloatArray, k: int) -> IdArray:
        parameters = None
        if plan.has_lists:
            kind = (
                _faiss.IVFRaBitQSearchParameters
                if plan.kind == "ivf-rabitq"
                else _faiss.SearchParametersIVF
            )
            parameters = kind(nprobe=plan.probes)
        if plan.kind != "flat":
            parameters = _faiss.IndexRefineSearchParameters(
                k_factor=max(1, plan.depth) / k, base_index_params=parameters
            )
        found: IdArray = index.search(query_D[np.newaxis], k, params=parameters)[1][0]
        return found

    return Peer(f"raw FAISS {plan.kind}", search, build_s, _size(index))


def peers(vectors_ND: FloatArray) -> Iterator[Peer]:
    """Yield the other libraries that are installed."""
    for package, build in (("autofaiss", _autofaiss), ("hnswlib", _hnswlib), ("usearch", _usearch)):
        if importlib.util.find_spec(package):
            yield build(vectors_ND)
        else:
            print(f"{package}: not installed, not measured")


def _autofaiss(vectors_ND: FloatArray) -> Peer:
    import autofaiss

    started = time.perf_counter()
    index, _ = autofaiss.build_index(
        np.ascontiguousarray(vectors_ND),
        save_on_disk=False,
        metric_type="ip",
        max_index_memory_usage="400MB",
        current_memory_available="8GB",
        max_index_query_time_ms=10,
        verbose=40,
    )
    build_s = time.perf_counter() - started
    kind = type(_faiss.downcast_index(index)).__name__
    return Peer(
        f"autofaiss ({kind})", lambda q, k: index.search(q[None], k)[1][0], build_s, _size(index)
    )


def _hnswlib(vectors_ND: FloatArray) -> Peer:
    import hnswlib

    started = time.perf_counter()
    index = hnswlib.Index("ip", vectors_ND.shape[1])
    index.init_index(len(vectors_ND), M=16, ef_construction=80)
    index.set_num_threads(1)
    index.add_items(vectors_ND)
    index.set_ef(128)
    build_s = time.perf_counter() - started
    memory_mb = len(vectors_ND) * (4 * vectors_ND.shape[1] + 16 * 2 * 4 + 16) / 2**20
    return Peer("hnswlib ef 128", lambda q, k: index.knn_query(q, k)[0][0], build_s, memory_mb)


def _usearch(vectors_ND: FloatArray) -> Peer:
    from usearch.index import Index

    started = time.perf_counter()
    index = Index(ndim=vectors_ND.shape[1], metric="ip", dtype="f32", connectivity=16)
    index.expansion_add, index.expansion_search = 80, 128
    index.add(np.arange(len(vectors_ND)), vectors_ND, threads=1)
    build_s = time.perf_counter() - started
    memory_mb = index.memory_usage / 2**20
    return Peer("usearch expansion 128", lambda q, k: index.search(q, k).keys, build_s, memory_mb)


def _size(index: object) -> float:
    return float(_faiss.serialize_index(index).nbytes) / 2**20
