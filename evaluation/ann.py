"""An index against exact search: how much of the neighbours it finds, and how fast.

Queries by text and by image are measured apart: texts lie away from the images, so an index that
finds the neighbours of images may miss those of texts.

# Q = queries, M = gallery items, D = embedding dimension, K = hits
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.progress import ProgressFactory, silent
from core.types import FloatArray
from evaluation.exact_search import exact_ranks
from index.ann_recall import ann_recall
from index.base_segment import BaseSegment
from index.index_plan import IndexPlan, Kind
from index.segment_file import Segment
from index.tombstones import Tombstones
from index.tuning import AS_CHOSEN, Efforts, best_scores, candidates

_MS = 1000.0
_ROUNDING = np.float32(1e-6)
"""Two searches may round the score of one item differently by so much."""

ScoresOf = Callable[[FloatArray, int], FloatArray]
"""From a query (D,) and K to the scores of its hits, best first."""


@dataclass(frozen=True, slots=True)
class AnnQueries:
    """Unit vectors of one modality, and the scores that exact search finds for them."""

    modality: str
    """``text`` or ``image``."""
    ids: tuple[str, ...]
    vectors_QD: FloatArray
    exact_QK: FloatArray
    """Scores of the K nearest items, best first."""


@dataclass(frozen=True, slots=True)
class AnnMeasurement:
    """How one kind of query fared."""

    modality: str
    recall_Q: NDArray[np.float64]
    """ann_recall@K of each query."""
    first_Q: NDArray[np.float64]
    """Whether the nearest item is among the hits: ann_1_recall@K."""
    times_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class AnnCandidate:
    """One index and one way to search it, measured."""

    plan: IndexPlan
    build_s: float
    memory_bytes: int
    measured: tuple[AnnMeasurement, ...]


def with_exact(
    modality: str,
    ids: Sequence[str],
    vectors_QD: FloatArray,
    gallery_ids: Sequence[str],
    gallery_MD: FloatArray,
    *,
    k: int,
) -> AnnQueries:
    """Return queries with what exact search finds for them.

    Raises:
        UsageError: no queries, an empty gallery, or k below 1.
    """
    if k < 1 or not len(vectors_QD) or not len(gallery_MD):
        raise UsageError(
            f"{len(vectors_QD)} {modality} queries, {len(gallery_MD)} items, k = {k}: expected 1 "
            "or more of each"
        )
    nothing: list[tuple[int, ...]] = [()] * len(vectors_QD)
    found = exact_ranks(vectors_QD, gallery_MD, gallery_ids, nothing, top=min(k, len(gallery_MD)))
    return AnnQueries(modality, tuple(ids), vectors_QD, found.top_scores_NK)


def measure(search: ScoresOf, queries: AnnQueries) -> AnnMeasurement:
    """Search for each query, one after the other, and compare with exact search.

    A hit that ties with the last exact one is as good as it.
    """
    k = queries.exact_QK.shape[1]
    recalls, firsts, times = [], [], []
    search(queries.vectors_QD[0], k)
    for query_D, exact_K in zip(queries.vectors_QD, queries.exact_QK, strict=True):
        started = time.perf_counter()
        found_K = search(query_D, k)
        times.append(_MS * (time.perf_counter() - started))
        recalls.append(ann_recall(found_K, exact_K - _ROUNDING))
        firsts.append(float(bool(len(found_K)) and found_K.max() >= exact_K[0] - _ROUNDING))
    return AnnMeasurement(queries.modality, np.array(recalls), np.array(firsts), tuple(times))


def sweep(
    rows: Segment,
    queries: Sequence[AnnQueries],
    *,
    kinds: Sequence[Kind],
    efforts: Efforts = AS_CHOSEN,
    progress: ProgressFactory = silent,
) -> Iterator[AnnCandidate]:
    """Build one index after the other and measure each with ever more effort.

    Args:
        rows: a flat segment with everything in it.
        queries: with what exact search finds for them.
        kinds: to build.
        efforts: probes and candidates to measure; a kind without any is measured with its own.
        progress: told of each candidate.

    Yields:
        exact kinds once, the others for each number of probes or candidates.

    Raises:
        UsageError: efforts that an index cannot make.
    """
    k = queries[0].exact_QK.shape[1]
    dead = Tombstones(len(rows.row_ids_N))
    with progress("measure", total=None, unit="candidates") as shown:
        for kind in kinds:
            for built in candidates(rows, kind, k=k, efforts=efforts):

                def search(
                    query_D: FloatArray,
                    k: int,
                    base: BaseSegment = built.base,
                    plan: IndexPlan = built.plan,
                ) -> FloatArray:
                    return best_scores(base, dead, query_D, k, plan)

                found = tuple(measure(search, one) for one in queries)
                yield AnnCandidate(built.plan, built.build_s, built.memory_bytes, found)
                shown.advance()
