"""From requests about judged queries to changes of the record, and to answers."""

from __future__ import annotations

import tempfile
from typing import IO, Literal

from core.errors import NotFoundError
from core.types import JSONObject, JSONValue
from index.filters import filter_json
from index.judged_pairs import write_judged_pairs
from index.judged_queries import JudgedQuery, judged_query
from index.judgement_files import (
    jsonl_text,
    judged_sets,
    qrels_text,
    queries_text,
    run_text,
)
from index.judgement_quality import Quality, judged_run, live_quality
from index.judgements import (
    ForgetQuery,
    Judge,
    QuerySummary,
    judged_queries,
    judged_query_page,
    judgements_of,
    summary_of_query,
)
from index.media import MediaStore
from service.access import check_text
from service.engine import Engine
from service.errors import out_of_range
from service.judgement_schemas import JudgeRequest, Mode
from service.request_scope import CURRENT_SCOPE, Priority, count_work, work_as

TextFormat = Literal["qrels", "queries", "run", "jsonl"]
MOST_QUERIES = 300
"""Judged queries that one request asks again: each is a search, and a request has a deadline."""
_DIGITS = 6


def query_of(
    engine: Engine, text: str, *, mode: Mode = "vector", filter: JSONValue = None
) -> JudgedQuery:
    """Return the judged query that a request names.

    Raises:
        UsageError: the text is too long (422).
        QueryError: text or filter that no search could answer.
    """
    check_text(text, limit_chars=engine.settings.max_text_chars, param="query")
    return judged_query(text, mode=mode, filter=filter)


def judge(engine: Engine, fields: JudgeRequest) -> JSONObject:
    """Store marks and return what the query has now.

    Raises:
        NotFoundError: the gallery has none of the items.
        UsageError: too many marks.
    """
    query = query_of(engine, fields.query, mode=fields.mode, filter=fields.filter)
    grades = {mark.item_id: mark.grade for mark in fields.marks}
    unknown = engine.gallery.collection.write(Judge(query, grades))
    if len(unknown) == len(grades):
        raise NotFoundError(f"there is no item {unknown[0]!r}", param="marks")
    summary = summary_of_query(engine.gallery.collection.store, query)
    return {
        "query": None if summary is None else _query_object(summary),
        "unknown": list(unknown),
    }


def forget(engine: Engine, query: JudgedQuery) -> JSONObject:
    """Take back all marks of a query."""
    return {"deleted": engine.gallery.collection.write(ForgetQuery(query))}


def list_queries(engine: Engine, *, cursor: str | None, limit: int) -> JSONObject:
    """Return one page of judged queries.

    Raises:
        UsageError: a limit above that of the service (422).
        QueryError: a cursor that cannot be continued.
    """
    most = engine.settings.max_k
    if limit > most:
        raise out_of_range(f"limit = {limit}, the most is {most}; page with cursor", param="limit")
    page = judged_query_page(engine.gallery.collection.store, cursor=cursor, limit=limit)
    return {"queries": [_query_object(one) for one in page.queries], "cursor": page.cursor}


def show_query(engine: Engine, query: JudgedQuery) -> JSONObject:
    """Return one judged query with its marks, or no query where it has none."""
    store = engine.gallery.collection.store
    with store.frozen():
        summary = summary_of_query(store, query)
        marks = judgements_of(store, [query])[query.id]
    if summary is None:
        return {"queries": [], "cursor": None}
    shown: list[JSONValue] = [
        {"item_id": mark.item_id, "grade": mark.grade, "present": mark.present} for mark in marks
    ]
    return {"queries": [{**_query_object(summary), "marks": shown}], "cursor": None}


def quality(engine: Engine, *, k: int, query: JudgedQuery | None) -> JSONObject:
    """Ask the judged queries, or one of them, again and return what their marks say.

    Raises:
        UsageError: k above the limit (422).
        DeadlineError: the time of the request ended.
    """
    most = engine.settings.max_k
    if k > most:
        raise out_of_range(f"k = {k}, the limit is {most}", param="k")
    store = engine.gallery.collection.store
    known = judged_queries(store, most=MOST_QUERIES + 1) if query is None else []
    left_out = len(judged_queries(store)) - MOST_QUERIES if len(known) > MOST_QUERIES else 0
    asked = [one.query for one in known[:MOST_QUERIES]] if query is None else [query]
    _begin(asked)
    found = live_quality(engine.gallery, asked, k=k, before_each=_check_deadline)
    return {"model": engine.encoder.encoder_id, **_quality_object(found), "left_out": left_out}


def export_text(engine: Engine, format: TextFormat) -> str:
    """Return all marks, their queries, or what search finds for them, as a text file.

    Raises:
        DeadlineError: the time of the request ended.
    """
    sets = judged_sets(engine.gallery.collection.store)
    if format == "run":
        queries = [one.query for one in sets if one.grades]
        _begin(queries)
        return run_text(judged_run(engine.gallery, queries, before_each=_check_deadline))
    return {"qrels": qrels_text, "queries": queries_text, "jsonl": jsonl_text}[format](sets)


def export_pairs(engine: Engine) -> tuple[IO[bytes], int]:
    """Return the training pairs as an open temporary file at its beginning, and its size.

    Raises:
        OSError: the temporary file cannot be written.
    """
    store = engine.gallery.collection.store
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it has been sent
    try:
        write_judged_pairs(store, MediaStore(engine.gallery.folder), judged_sets(store), file)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, size


def _begin(queries: list[JudgedQuery]) -> None:
    """Say what the request costs; searches that somebody waits for go first."""
    if len(queries) > 1:
        work_as(Priority.CLASSIFY)
    count_work(texts=sum(len(query.terms) for query in queries))


def _check_deadline() -> None:
    scope = CURRENT_SCOPE.get()
    if scope is not None:
        scope.check()


def _query_object(summary: QuerySummary) -> JSONObject:
    return {
        **_asked(summary.query),
        "caption": summary.query.caption,
        "right": summary.right,
        "wrong": summary.wrong,
        "gone": summary.gone,
        "judged_ms": summary.judged_ms,
        "marks": None,
    }


def _asked(query: JudgedQuery) -> JSONObject:
    return {
        "query_id": query.id,
        "query": query.text,
        "mode": query.mode,
        "filter": filter_json(query.filter),
    }


def _quality_object(found: Quality) -> JSONObject:
    queries: list[JSONValue] = [
        {
            **_asked(one.query),
            "right": one.right,
            "wrong": one.wrong,
            "values": {name: _rounded(value) for name, value in one.values.items()},
            "error": one.error,
        }
        for one in found.queries
    ]
    mean: JSONObject = {
        name: {
            "value": _rounded(metric.value),
            "ci_low": _rounded(metric.interval.low),
            "ci_high": _rounded(metric.interval.high),
            "n": metric.n,
            "method": metric.interval.method,
        }
        for name, metric in found.mean.items()
    }
    return {"k": found.k, "queries": queries, "mean": mean, "without_right": found.without_right}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
