"""Tuning an index: candidates built and measured on this machine, text queries apart from images.

# N = rows, Q = queries, D = embedding dimension, K = hits of one query

Text embeddings lie apart from image embeddings, so an index that finds the neighbours of images
may miss those of texts. What is chosen is the cheapest candidate that meets the target for texts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from core.types import FloatArray, JSONObject
from index.ann_recall import Estimate, ann_recall, estimate
from index.base_segment import BaseSegment
from index.index_plan import (
    TRUSTED,
    IndexPlan,
    Kind,
    make_plan,
    plan_of_json,
    resident_bytes,
    trainable,
)
from index.segment_file import Segment, build_index
from index.tombstones import Tombstones

DEFAULT_KINDS: tuple[Kind, ...] = (
    *("flat", "flat-int8", "flat-fp16"),
    *("ivf-sq8", "ivf-rabitq", "ivf-pq", "pq"),
)
_DEPTHS = (256, 1024, 4096)
_FEWEST_PROBES = 4


@dataclass(frozen=True, slots=True)
class Queries:
    """Unit vectors to search with, (Q, D)."""

    text_QD: FloatArray
    image_QD: FloatArray


@dataclass(frozen=True, slots=True)
class Quality:
    """How one kind of query fares."""

    recall: Estimate
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One candidate."""

    plan: IndexPlan
    build_s: float
    memory_bytes: int
    text: Quality
    image: Quality

    def meets(self, target: float) -> bool:
        """Return whether text queries are sure to reach the target: exact kinds always do."""
        return self.plan.exact or self.text.recall.low >= target

    def as_json(self) -> JSONObject:
        """Return the row as it is stored."""
        value: JSONObject = asdict(self)
        return value


@dataclass(frozen=True, slots=True)
class Tuning:
    """The table and what was picked from it."""

    rows: int
    k: int
    target: float
    measured: tuple[Measured, ...]
    chosen: Measured | None
    """``None`` where the memory excludes exact kinds and no other one is sure to be good."""

    def as_json(self) -> JSONObject:
        """Return all of it as it is stored."""
        return {
            "rows": self.rows,
            "k": self.k,
            "target": self.target,
            "measured": [measured.as_json() for measured in self.measured],
            "chosen": None if self.chosen is None else self.chosen.plan.as_json(),
        }


def measured_of_json(value: JSONObject) -> Measured:
    """Return a row as it was stored by :meth:`Measured.as_json`."""
    fields: Any = value
    qualities = [
        Quality(Estimate(**part["recall"]), part["p50_ms"], part["p99_ms"])
        for part in (fields["text"], fields["image"])
    ]
    plan = plan_of_json(fields["plan"])
    return Measured(plan, fields["build_s"], fields["memory_bytes"], *qualities)


def tune(
    rows: Segment,
    queries: Queries,
    *,
    k: int,
    target: float,
    memory_mb: int | None = None,
    kinds: tuple[Kind, ...] = DEFAULT_KINDS,
    done: Callable[[Measured], None] = lambda _: None,
) -> Tuning:
    """Measure candidates of each kind, harder and harder until the text target is met.

    Args:
        rows: a flat segment with everything in it.
        queries: of both kinds.
        k: hits.
        target: wanted ann_recall@k of text queries; the lower end of its interval has to meet it.
        memory_mb: candidates that hold more resident are left out.
        kinds: to try, ``flat`` among them.
        done: told of each candidate when it is measured.
    """
    exact = BaseSegment(rows)
    truths = [_scores(exact, queries_QD, k) for queries_QD in (queries.text_QD, queries.image_QD)]
    measured: list[Measured] = []
    for kind in kinds:
        needed = resident_bytes(kind, *rows.vectors_ND.shape)
        if memory_mb is not None and needed > memory_mb * 2**20:
            continue
        for candidate in _sweep(rows, kind, queries, truths, k):
            measured.append(candidate)
            done(candidate)
            # Where nothing is missed and yet nothing proved, the queries are too few.
            if candidate.meets(target) or candidate.text.recall.mean == 1:
                break
    good = [candidate for candidate in measured if candidate.meets(target)]
    chosen = min(good, key=lambda candidate: candidate.text.p50_ms, default=None)
    return Tuning(len(rows.row_ids_N), k, target, tuple(measured), chosen)


def _sweep(
    rows: Segment, kind: Kind, queries: Queries, truths: list[list[FloatArray]], k: int
) -> Iterator[Measured]:
    """Build one index and measure it with ever more effort."""
    for built in candidates(rows, kind, k=k):
        qualities = [
            _measure(built.base, built.plan, queries_QD, truth, k)
            for queries_QD, truth in zip((queries.text_QD, queries.image_QD), truths, strict=True)
        ]
        yield Measured(built.plan, built.build_s, built.memory_bytes, *qualities)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index that was built, and one way to search it."""

    base: BaseSegment
    plan: IndexPlan
    """Of the search."""
    build_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Efforts:
    """Ways to search an index that somebody wants to see measured; empty ones are chosen."""

    probes: tuple[int, ...] = ()
    """nprobe of kinds with inverted lists."""
    depths: tuple[int, ...] = ()
    """Candidates that kinds other than ``hnsw`` score again exactly."""
    ef: tuple[int, ...] = ()
    """efSearch of ``hnsw``, which scores as many again."""

    def of(self, plan: IndexPlan) -> list[IndexPlan]:
        """Return the ways to search an index of this plan; none where nothing wanted fits it.

        Raises:
            UsageError: more probes than lists, or too small a depth.
        """
        if plan.exact:
            return []
        depths = self.ef if plan.kind == "hnsw" else self.depths
        probes = self.probes if plan.has_lists else ()
        if not depths and not probes:
            return []
        return [
            replace(plan, probes=probe, depth=depth)
            for probe in probes or (plan.probes,)
            for depth in depths or (plan.depth,)
        ]


AS_CHOSEN = Efforts()


def candidates(
    rows: Segment, kind: Kind, *, k: int, efforts: Efforts = AS_CHOSEN
) -> Iterator[Candidate]:
    """Build one index and yield it with ever more effort; nothing where it cannot be trained.

    Raises:
        UsageError: wanted efforts that the index cannot make.
    """
    count, dim = rows.vectors_ND.shape
    plan = make_plan(kind, count)
    if trainable(plan, count, dim) != plan:
        return
    plans = efforts.of(plan) or list(_efforts(plan, count, k))
    started = time.perf_counter()
    index = None if kind == "flat" else build_index(plan, rows.vectors_ND)
    build_s = time.perf_counter() - started
    base = BaseSegment(replace(rows, plan=plan, index=index))
    for harder in plans:
        yield Candidate(base, harder, build_s, resident_bytes(kind, count, dim))


def _efforts(plan: IndexPlan, count: int, k: int) -> Iterator[IndexPlan]:
    """Yield search parameters from cheap to thorough."""
    depths = [depth for depth in _DEPTHS if 2 * TRUSTED * (k + 1) <= depth < count]
    if plan.exact:
        yield plan
        return
    if not plan.has_lists:
        yield from (replace(plan, depth=depth) for depth in depths)
        return
    probes = _FEWEST_PROBES
    while probes <= plan.lists // 2:
        yield replace(plan, probes=probes)
        probes *= 2
    # More probes cannot help any more; more candidates for the exact scores may.
    yield replace(plan, probes=plan.lists // 2, depth=_DEPTHS[-1])


def _scores(base: BaseSegment, queries_QD: FloatArray, k: int) -> list[FloatArray]:
    dead = Tombstones(len(base))
    return [best_scores(base, dead, query_D, k, base.plan) for query_D in queries_QD]


def _measure(
    base: BaseSegment, plan: IndexPlan, queries_QD: FloatArray, truth: list[FloatArray], k: int
) -> Quality:
    recalls, times, dead = [], [], Tombstones(len(base))
    best_scores(base, dead, queries_QD[0], k, plan)
    for query_D, exact_K in zip(queries_QD, truth, strict=True):
        started = time.perf_counter()
        found_K = best_scores(base, dead, query_D, k, plan)
        times.append(1000 * (time.perf_counter() - started))
        recalls.append(ann_recall(found_K, exact_K))
    p50_ms, p99_ms = np.percentile(times, [50, 99]).tolist()
    return Quality(estimate(np.array(recalls)), p50_ms, p99_ms)


def best_scores(
    base: BaseSegment, dead: Tombstones, query_D: FloatArray, k: int, plan: IndexPlan
) -> FloatArray:
    """Return the scores of the K best rows by one way to search, descending."""
    found = base.search(
        query_D,
        count=k,
        allowed_N=None,
        dead=dead,
        effort="balanced",
        plan=plan,
    )
    scores_K: FloatArray = np.sort(found.scores_K)[::-1][:k]
    return scores_K
