"""From rankings to the report of a retrieval: metrics, slices, TREC files, data for plots.

# N = queries that have something relevant
"""

from __future__ import annotations

from collections import Counter

from core.measures.judged_ranks import JudgedRanks
from core.measures.query_metrics import micro_values, query_values
from core.measures.trec import qrels_lines, run_lines
from core.types import JSONObject, JSONValue
from evaluation.estimates import (
    Measurements,
    Metric,
    detectable_differences,
    mean_metrics,
    slice_metrics,
)
from evaluation.latency import latency_histogram, latency_metrics
from evaluation.provenance import Provenance
from evaluation.report import Report, metrics_json
from evaluation.retrieval_curves import (
    first_rank_histogram,
    precision_recall,
    rank_curve,
    score_thresholds,
)
from evaluation.retrieval_loss import index_loss, overlap_values
from evaluation.retrieval_options import RetrievalOptions
from evaluation.retrieval_task import RetrievalTask
from evaluation.searching import Ranking
from evaluation.slices import group_of

_SHOWN_HITS = 5


def retrieval_report(
    task: RetrievalTask,
    exact: Ranking | None,
    *,
    options: RetrievalOptions,
    facts: JSONObject,
    provenance: Provenance,
    served: Ranking | None = None,
    searched: str = "",
) -> Report:
    """Return the report of what was served, or else of the exact ranking.

    Args:
        task: the queries.
        exact: the exact ranking; ``None`` where there are no vectors to make one from.
        options: what was asked for.
        facts: of the data.
        provenance: of the vectors, or of whoever served.
        served: what an index or a service answered.
        searched: its name.
    """
    ranking = served or exact
    assert ranking is not None
    ks = tuple(sorted({min(k, task.candidates) for k in options.ks}))
    measured = measure(task, ranking, ks, group_by=options.group_by, cut=served is not None)
    if served is not None and exact is not None:
        measured.values.update(overlap_values(exact, served, ks))
    statistics, left_out = options.statistics, len(task.relevant_N) - len(task.judged)
    metrics = mean_metrics(measured, statistics=statistics, n_no_rel=left_out)
    metrics |= _micro(ranking.judged, ks, left_out)
    details: JSONObject = _details(task, ranking, ks, options)
    if served is not None:
        metrics |= latency_metrics(served.latencies_ms, statistics)
        details["search"] = _search_json(served, searched)
    if served is not None and exact is not None:
        exactly = measure(task, exact, ks, group_by=options.group_by)
        found = mean_metrics(exactly, statistics=statistics, n_no_rel=left_out)
        details["exact_metrics"] = metrics_json(found)
        details["index_loss"] = metrics_json(index_loss(exactly, measured, statistics))
    return Report(
        kind="retrieval",
        metrics=metrics,
        provenance=provenance,
        comparable={
            "data": provenance.data_digest,
            "labels": None,
            "templates": None,
            "relevance": task.relevance_digest,
        },
        settings=options.as_json(),
        details={**details, "data": facts},
        statistics=statistics,
        measured=measured,
        detectable=detectable_differences(measured),
        slices=slice_metrics(measured, statistics=statistics) if options.group_by else {},
        lines=_trec(task, ranking),
        objects={"predictions.jsonl": _predictions(task, ranking)},
    )


def measure(
    task: RetrievalTask,
    ranking: Ranking,
    ks: tuple[int, ...],
    *,
    group_by: str | None = None,
    cut: bool = False,
) -> Measurements:
    """Return the values of every query that has something relevant.

    ``cut``: the lists end, so metrics of the whole list are not known and left out.
    """
    values = query_values(ranking.judged, ks)
    if cut:
        values = {name: column for name, column in values.items() if "@" in name}
    queries = task.queries.chosen(task.judged)
    ranks = ranking.judged.per_query()
    texts: dict[str, list[str | int | float | None]] = {
        "text": list(queries.texts),
        "image": [str(pair.image) for pair in queries.pairs],
        "relevant": [len(task.relevant_N[place]) for place in task.judged],
        "ranks": [" ".join(map(str, found)) for found in ranks],
        "first_rank": [found[0] if found else None for found in ranks],
    }
    if ranking.latencies_ms:
        texts["latency_ms"] = list(ranking.latencies_ms)
    return Measurements(
        ids=queries.ids,
        clusters=tuple(pair.id for pair in queries.pairs),
        groups=tuple(group_of(pair, group_by) for pair in queries.pairs),
        values=dict(values),
        texts=texts,
    )


def _micro(judged: JudgedRanks, ks: tuple[int, ...], left_out: int) -> dict[str, Metric]:
    return {
        name: Metric(value, None, None, n=judged.queries, n_no_rel=left_out)
        for name, value in micro_values(judged, ks).items()
    }


def _details(
    task: RetrievalTask, ranking: Ranking, ks: tuple[int, ...], options: RetrievalOptions
) -> JSONObject:
    return {
        "direction": options.direction,
        "k_requested": list(options.ks),
        "k_effective": list(ks),
        "queries": len(task.judged),
        "queries_without_relevant": len(task.relevant_N) - len(task.judged),
        "gallery": len(task.gallery_ids),
        "tied_at_k": {str(k): ranking.tied[k] for k in ks if k in ranking.tied},
        "curve": rank_curve(ranking.judged, length=max(ks)),
        "precision_recall": precision_recall(ranking.judged),
        "first_rank_histogram": first_rank_histogram(ranking.judged),
        "score_thresholds": _thresholds(task, ranking),
    }


def _thresholds(task: RetrievalTask, ranking: Ranking) -> list[JSONValue]:
    hits: list[list[bool]] = []
    for place, ids in zip(task.judged, ranking.top_ids, strict=True):
        relevant = {task.gallery_ids[column] for column in task.relevant_N[place]}
        hits.append([name in relevant for name in ids])
    in_all = sum(len(task.relevant_N[place]) for place in task.judged)
    return score_thresholds(ranking.top_scores, hits, relevant=in_all)


def _search_json(served: Ranking, searched: str) -> JSONObject:
    plans: JSONObject = dict(sorted(Counter(served.plans).items()))
    return {
        "name": searched,
        "plans": plans,
        "latency_histogram": latency_histogram(served.latencies_ms),
    }


def _trec(task: RetrievalTask, ranking: Ranking) -> dict[str, list[str]]:
    ids = [task.queries.ids[place] for place in task.judged]
    judgements = [
        (
            task.queries.ids[place],
            {
                task.gallery_ids[column]: grade
                for column, grade in zip(task.relevant_N[place], task.grades_N[place], strict=True)
            },
        )
        for place in task.judged
    ]
    return {
        "run.trec": run_lines(ids, ranking.top_ids, tag="sightline"),
        "qrels.trec": qrels_lines(judgements),
    }


def _predictions(task: RetrievalTask, ranking: Ranking) -> list[JSONObject]:
    """Return what each query found first, with pictures, for people who look for the reason."""
    items = _items(task)
    nothing: JSONObject = {"image": None, "text": None}
    rows: list[JSONObject] = []
    for row, place in enumerate(task.judged):
        relevant = {task.gallery_ids[column] for column in task.relevant_N[place]}
        found: list[JSONValue] = [
            {
                "id": name,
                "score": score,
                "relevant": name in relevant,
                **items.get(name, nothing),
            }
            for name, score in zip(
                ranking.top_ids[row][:_SHOWN_HITS],
                ranking.top_scores[row][:_SHOWN_HITS],
                strict=True,
            )
        ]
        rows.append(
            {
                "id": task.queries.ids[place],
                "text": task.queries.texts[place],
                "image": str(task.queries.pairs[place].image),
                "relevant": list[JSONValue](sorted(relevant)[:_SHOWN_HITS]),
                "expected": [
                    {"id": name, **items.get(name, nothing)}
                    for name in sorted(relevant)[:_SHOWN_HITS]
                ],
                "found": found,
            }
        )
    return rows


def _items(task: RetrievalTask) -> dict[str, JSONObject]:
    """Return picture and caption of each item by its id; an image has no caption of its own."""
    items: dict[str, JSONObject] = {}
    for pair in {pair.id: pair for pair in task.queries.pairs}.values():
        items[pair.id] = {"image": str(pair.image), "text": None}
        for number, caption in enumerate(pair.captions):
            items[f"{pair.id}#{number}"] = {"image": str(pair.image), "text": caption}
    return items
