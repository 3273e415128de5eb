"""Scoring a run of any system against judgements, both in TREC's form; no model, no images.

# N = judged queries
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.artifacts import canonical_json, sha256_bytes
from core.errors import PairsError, UsageError
from core.measures.judged_ranks import JudgedRanks
from core.measures.judged_share import judged_at_k, judged_precision_at_k
from core.measures.query_metrics import Values, micro_values, query_values
from core.measures.trec import Qrels, Run, qrels_lines, run_lines
from core.types import JSONObject, JSONValue
from evaluation.estimates import (
    Measurements,
    Metric,
    Statistics,
    detectable_differences,
    mean_metrics,
)
from evaluation.provenance import machine
from evaluation.report import Report
from evaluation.retrieval_curves import first_rank_histogram, precision_recall, rank_curve


def evaluate_run(
    qrels: Qrels, run: Run, *, ks: Sequence[int], statistics: Statistics | None = None
) -> Report:
    """Score the order of a run: score descending in float32, then document ascending.

    A judged query that the run lacks counts 0; one without a relevant document is left out and
    counted; a query without judgements is counted and not scored.

    Raises:
        UsageError: a cut-off below 1.
        PairsError: no query has a relevant document.
    """
    statistics = statistics or Statistics()
    if not ks or min(ks) < 1:
        raise UsageError(f"k = {list(ks)}: expected cut-offs of 1 or more", param="k")
    queries = [query for query, grades in qrels.items() if max(grades.values()) > 0]
    if not queries:
        raise PairsError("no query has a document of grade 1 or more; there is nothing to find")
    lists = [ranked(run.get(query, {})) for query in queries]
    judged = _judged(queries, lists, qrels)
    measured = Measurements(
        ids=tuple(queries),
        clusters=tuple(queries),
        groups=("",) * len(queries),
        values=query_values(judged, sorted(set(ks)))
        | _judged_shares(lists, [qrels[query] for query in queries], sorted(set(ks))),
        texts={"ranks": [" ".join(map(str, found)) for found in judged.per_query()]},
    )
    left_out = len(qrels) - len(queries)
    metrics = mean_metrics(measured, statistics=statistics, n_no_rel=left_out)
    metrics |= {
        name: Metric(value, None, None, n=len(queries), n_no_rel=left_out)
        for name, value in micro_values(judged, sorted(set(ks))).items()
    }
    return Report(
        kind="score",
        metrics=metrics,
        provenance=machine(),
        comparable={
            "data": None,
            "labels": None,
            "templates": None,
            "relevance": qrels_digest(qrels),
        },
        settings={"k": list[JSONValue](sorted(set(ks)))},
        details=_details(qrels, run, lists, judged, length=max(ks)),
        statistics=statistics,
        measured=measured,
        detectable=detectable_differences(measured),
        lines={
            "run.trec": run_lines(queries, lists, tag="sightline"),
            "qrels.trec": qrels_lines([(query, qrels[query]) for query in queries]),
        },
    )


def _judged_shares(
    lists: Sequence[Sequence[str]], grades_N: Sequence[Mapping[str, int]], ks: Sequence[int]
) -> dict[str, Values]:
    """Return how much of each list is judged, and what share of that is relevant."""
    pairs = list(zip(lists, grades_N, strict=True))
    values: dict[str, Values] = {}
    for k in ks:
        values[f"judged@{k}"] = np.array([judged_at_k(*one, k) for one in pairs])
        values[f"judged_precision@{k}"] = np.array(
            [judged_precision_at_k(*one, k) for one in pairs]
        )
    return values


def _details(
    qrels: Qrels, run: Run, lists: Sequence[Sequence[str]], judged: JudgedRanks, *, length: int
) -> JSONObject:
    return {
        "queries": len(lists),
        "queries_without_relevant": len(qrels) - len(lists),
        "queries_without_results": sum(not found for found in lists),
        "queries_without_judgements": len(run.keys() - qrels.keys()),
        "curve": rank_curve(judged, length=length),
        "precision_recall": precision_recall(judged),
        "first_rank_histogram": first_rank_histogram(judged),
    }


def ranked(found: dict[str, float]) -> list[str]:
    """Return documents best first: score descending, compared in float32, then id ascending."""
    scores = {name: float(np.float32(score)) for name, score in found.items()}
    return sorted(found, key=lambda name: (-scores[name], name))


def qrels_digest(qrels: Qrels) -> str:
    """Return the sha256 of the judgements, whatever the order of the lines."""
    rows: JSONObject = {query: dict(grades) for query, grades in qrels.items()}
    return sha256_bytes(canonical_json(rows))


def _judged(queries: Sequence[str], lists: Sequence[Sequence[str]], qrels: Qrels) -> JudgedRanks:
    ranks, grades, missed = [], [], []
    for query, found in zip(queries, lists, strict=True):
        wanted = {name: grade for name, grade in qrels[query].items() if grade > 0}
        hits = [(rank, wanted.pop(name)) for rank, name in enumerate(found, 1) if name in wanted]
        ranks.append([rank for rank, _ in hits])
        grades.append([float(grade) for _, grade in hits])
        missed.append([float(grade) for grade in wanted.values()])
    return JudgedRanks.of_lists(ranks, grades_N=grades, missed_N=missed)
