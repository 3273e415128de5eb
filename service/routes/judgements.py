"""``/v1/judgements``: hits marked right or wrong, what they say of the search, and their files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from core.errors import UsageError
from core.types import JSONObject, JSONValue
from service.access import engine_of, writable_engine_of
from service.judgement_schemas import (
    ForgottenAnswer,
    JudgeAnswer,
    JudgementsAnswer,
    JudgeRequest,
    Mode,
    QualityAnswer,
)
from service.judging import (
    export_pairs,
    export_text,
    forget,
    judge,
    list_queries,
    quality,
    query_of,
    show_query,
)
from service.openapi import answers, json_body, refusals, succeeds
from service.responses import json_response
from service.uploads import parse_json, read_upload

router = APIRouter(tags=["judgements"])

QueryText = Annotated[str | None, Query(description="a judged query, as it was searched")]
FilterText = Annotated[str | None, Query(description="its filter: a JSON object")]
Format = Literal["qrels", "queries", "run", "jsonl", "pairs"]

_QUERY: JSONObject = {
    "query_id": "af6f9533e217969f",
    "query": "a red car",
    "mode": "vector",
    "filter": None,
    "caption": "a red car",
    "right": 1,
    "wrong": 0,
    "gone": 0,
    "judged_ms": 1780000000000,
    "marks": None,
}
_MARKS: JSONValue = [{"item_id": "a17", "grade": 1, "present": True}]
_MEAN: JSONObject = {
    "precision@10": {"value": 0.4, "ci_low": 0.3, "ci_high": 0.5, "n": 12, "method": "bootstrap"}
}
_QUALITY: JSONObject = {
    "model": "0123456789abcdef",
    "k": 10,
    "took_ms": 31.0,
    "queries": [
        {
            **{name: _QUERY[name] for name in ("query_id", "query", "mode", "filter")},
            "right": 1,
            "wrong": 0,
            "values": {"precision@10": 0.1, "recall@10": 1.0, "judged@10": 0.1},
            "error": None,
        }
    ],
    "mean": _MEAN,
    "without_right": 0,
    "left_out": 0,
}
_MEDIA: dict[Format, str] = {
    "qrels": "text/plain",
    "queries": "text/tab-separated-values",
    "run": "text/plain",
    "jsonl": "application/x-ndjson",
    "pairs": "application/x-tar",
}
_FILE_NAMES: dict[Format, str] = {
    "qrels": "qrels.trec",
    "queries": "queries.tsv",
    "run": "run.trec",
    "jsonl": "judgements.jsonl",
    "pairs": "judged-pairs.tar",
}
_TEXT: JSONObject = {"schema": {"type": "string"}}
_FILE: JSONObject = {"schema": {"type": "string", "format": "binary"}}
_FILES: JSONObject = {kind: _FILE if kind.endswith("tar") else _TEXT for kind in _MEDIA.values()}
_CHUNK_BYTES = 1 << 18


@router.put(
    "/v1/judgements",
    summary="Mark hits right or wrong",
    openapi_extra=json_body(JudgeRequest),
    responses=answers(
        {"query": _QUERY, "unknown": []}, errors=(404, 415, 422, 507), model=JudgeAnswer
    ),
)
async def put_judgements(request: Request) -> Response:
    """Mark hits of a query right or wrong, or take marks back; the same marks change nothing."""
    engine = writable_engine_of(request)
    upload = await read_upload(request, JudgeRequest, engine.settings)
    return json_response(await engine.workers.run(judge, engine, upload.fields))


@router.get(
    "/v1/judgements",
    summary="Judged queries, or the marks of one",
    responses=answers(
        {"queries": [{**_QUERY, "marks": _MARKS}], "cursor": None},
        errors=(422,),
        model=JudgementsAnswer,
    ),
)
async def get_judgements(
    request: Request,
    *,
    q: QueryText = None,
    mode: Mode = "vector",
    filter: FilterText = None,
    cursor: Annotated[str | None, Query(description="of the last page, to go on")] = None,
    limit: Annotated[int, Query(ge=1, description="queries of one page")] = 100,
) -> Response:
    """Return judged queries with their counts, the newest first; with `q` one with its marks."""
    engine = engine_of(request)
    if q is None:
        found = await engine.workers.run(list_queries, engine, cursor=cursor, limit=limit)
        return json_response(found)
    query = query_of(engine, q, mode=mode, filter=_filter(filter))
    return json_response(await engine.workers.run(show_query, engine, query))


@router.delete(
    "/v1/judgements",
    summary="Take back the marks of a query",
    responses=answers({"deleted": 3}, errors=(422, 507), model=ForgottenAnswer),
)
async def delete_judgements(
    request: Request,
    *,
    q: Annotated[str, Query(description="a judged query, as it was searched")],
    mode: Mode = "vector",
    filter: FilterText = None,
) -> Response:
    """Take back all marks of one query."""
    engine = writable_engine_of(request)
    query = query_of(engine, q, mode=mode, filter=_filter(filter))
    return json_response(await engine.workers.run(forget, engine, query))


@router.get(
    "/v1/judgements/quality",
    summary="What the judged queries say of the search",
    responses=answers(_QUALITY, errors=(422,), model=QualityAnswer),
)
async def get_quality(
    request: Request,
    *,
    k: Annotated[int, Query(ge=1, description="cut-off")] = 10,
    q: QueryText = None,
    mode: Mode = "vector",
    filter: FilterText = None,
) -> Response:
    """Ask the judged queries again and compare what is found with the marks; with `q` only one."""
    started = time.monotonic()
    engine = engine_of(request)
    query = None if q is None else query_of(engine, q, mode=mode, filter=_filter(filter))
    found = await engine.workers.run(quality, engine, k=k, query=query)
    took_ms = round((time.monotonic() - started) * 1000, 3)
    return json_response({**found, "took_ms": took_ms})


@router.get(
    "/v1/judgements/export",
    summary="The marks as a file",
    response_class=Response,
    responses={200: succeeds(_FILES), **refusals((422,))},
)
async def get_judgements_export(request: Request, format: Format) -> Response:
    """Return TREC qrels, the queries, the run that search finds, all marks, or training pairs."""
    engine = engine_of(request)
    headers = {"content-disposition": f'attachment; filename="{_FILE_NAMES[format]}"'}
    if format != "pairs":
        text = await engine.workers.run(export_text, engine, format)
        return Response(text, media_type=_MEDIA[format], headers=headers)
    file, size = await engine.workers.run(export_pairs, engine)
    headers["content-length"] = str(size)
    return StreamingResponse(_chunks(file), media_type=_MEDIA[format], headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _filter(text: str | None) -> JSONObject | None:
    if text is None:
        return None
    value = parse_json(text, param="filter")
    if not isinstance(value, dict):
        raise UsageError(f"a filter is a JSON object, not {text[:100]}", param="filter")
    return value
