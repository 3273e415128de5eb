"""Judged queries: requests and the reading of their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, TypeAlias

from core.types import JSONObject, JSONValue
from sightline.call import Call, given, json_body
from sightline.judgement_answers import (
    JudgedQueryPage,
    SearchQuality,
    read_judged_page,
    read_marks,
    read_quality,
)
from sightline.search_calls import Mode

ExportFormat: TypeAlias = Literal["qrels", "queries", "run", "jsonl", "pairs"]
_JUDGEMENTS = "/v1/judgements"


def judge_call(
    query: str, grades: Mapping[str, int | None], *, mode: Mode, filter: JSONObject | None
) -> Call[tuple[str, ...]]:
    """Return the request that marks items; the answer is the ids that the gallery lacks."""
    marks: list[JSONValue] = [{"item_id": name, "grade": grade} for name, grade in grades.items()]
    return Call(
        "PUT",
        _JUDGEMENTS,
        lambda response: tuple(json_body(response)["unknown"]),
        json=given(query=query, mode=mode, filter=filter, marks=marks),
    )


def list_judged_call(*, cursor: str | None, limit: int) -> Call[JudgedQueryPage]:
    """Return the request of one page of judged queries."""
    params = {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
    return Call(
        "GET",
        _JUDGEMENTS,
        lambda response: read_judged_page(json_body(response)),
        params=params,
    )


def marks_call(query: str, *, mode: Mode, filter: JSONObject | None) -> Call[dict[str, int]]:
    """Return the request of the marks of one query."""
    return Call(
        "GET",
        _JUDGEMENTS,
        lambda response: read_marks(json_body(response)),
        params=_asked(query, mode, filter),
    )


def forget_call(query: str, *, mode: Mode, filter: JSONObject | None) -> Call[int]:
    """Return the request that takes back all marks of a query; the answer is their number."""
    return Call(
        "DELETE",
        _JUDGEMENTS,
        lambda response: int(json_body(response)["deleted"]),
        params=_asked(query, mode, filter),
    )


def quality_call(*, k: int) -> Call[SearchQuality]:
    """Return the request of what the judged queries say of the search."""
    return Call(
        "GET",
        f"{_JUDGEMENTS}/quality",
        lambda response: read_quality(json_body(response)),
        params={"k": str(k)},
    )


def export_call(format: ExportFormat) -> Call[bytes]:
    """Return the request of the marks as a file."""
    return Call(
        "GET", f"{_JUDGEMENTS}/export", lambda response: response.content, params={"format": format}
    )


def _asked(query: str, mode: Mode, filter: JSONObject | None) -> dict[str, str]:
    asked = {"q": query, "mode": str(mode)}
    return asked if filter is None else {**asked, "filter": json.dumps(filter)}
