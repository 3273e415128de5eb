"""The JSON of ``/v1/judgements`` and ``/v1/reports``: the body that marks hits, and the answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue

from service.answers import Answer, Count, Milliseconds
from service.schemas import Body, Identifier

Mode = Literal["vector", "keyword", "hybrid"]
_QUERY_ID = "the same for queries that ask for the same; the query of the qrels"


class Mark(Body):
    """What one hit is."""

    item_id: Identifier
    grade: Annotated[int, Field(ge=0, le=1)] | None = Field(
        description="1: right, 0: wrong, null: takes the mark back"
    )


class JudgeRequest(Body):
    """Marks of hits of one query; a picture that is uploaded is part of no judged query."""

    query: str = Field(description="in the query language")
    mode: Mode = "vector"
    filter: dict[str, JsonValue] | None = Field(default=None, description="see docs/api.md")
    marks: list[Mark] = Field(min_length=1)

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"query": "a red car -toy", "marks": [{"item_id": "a17", "grade": 1}]},
                {
                    "query": "a red car",
                    "mode": "hybrid",
                    "marks": [{"item_id": "b", "grade": None}],
                },
            ]
        },
    )


class MarkAnswer(Answer):
    """A mark."""

    item_id: str
    grade: Annotated[int, Field(ge=0, le=1)] = Field(description="1: right, 0: wrong")
    present: bool = Field(description="whether the picture that was judged is in the gallery")


class JudgedQueryAnswer(Answer):
    """A judged query."""

    query_id: str = Field(description=_QUERY_ID)
    query: str
    mode: Mode
    filter: dict[str, JsonValue] | None
    caption: str | None = Field(description="its text in training pairs; null: it gives none")
    right: Count
    wrong: Count
    gone: Count = Field(description="marks of pictures that are not in the gallery now")
    judged_ms: Count = Field(description="milliseconds since 1970 when it was first judged")
    marks: list[MarkAnswer] | None = Field(description="filled where one query was asked for")


class JudgementsAnswer(Answer):
    """Judged queries, the newest first."""

    queries: list[JudgedQueryAnswer]
    cursor: str | None = Field(description="send it back for the next page; null on the last")


class JudgeAnswer(Answer):
    """What the query has now."""

    query: JudgedQueryAnswer | None = Field(description="null: no mark is left")
    unknown: list[str] = Field(description="ids that the gallery does not have")


class ForgottenAnswer(Answer):
    """How many marks were taken back."""

    deleted: Count


class QueryQualityAnswer(Answer):
    """A judged query, asked again."""

    query_id: str
    query: str
    mode: Mode
    filter: dict[str, JsonValue] | None
    right: Count
    wrong: Count
    values: dict[str, float | None] = Field(description="by metric; null: not defined")
    error: str | None = Field(description="why it cannot be asked any more")


class MetricAnswer(Answer):
    """A mean over queries."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: Count = Field(description="queries that have a value")
    method: str = Field(description="of the interval at 95 %")


class QualityAnswer(Answer):
    """What the judged queries say of the search as it is now."""

    model: str = Field(description="encoder id")
    k: Annotated[int, Field(ge=1)]
    took_ms: Milliseconds
    queries: list[QueryQualityAnswer]
    mean: dict[str, MetricAnswer]
    without_right: Count = Field(description="queries with wrong hits alone: no recall")
    left_out: Count = Field(description="older queries beyond the limit of one answer")


class ReportMetric(Answer):
    """A number of a report."""

    name: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    unit: str


class ReportAnswer(Answer):
    """A report of ``sightline evaluate``."""

    name: str = Field(description="of its folder")
    written_ms: Count = Field(description="milliseconds since 1970")
    kind: str | None
    model: str | None
    n: Count | None = Field(description="queries or images that were measured")
    metrics: list[ReportMetric] = Field(description="those that matter")
    page_url: str | None = Field(description="of report.html; null: there is none")
    problem: str | None = Field(description="why the figures cannot be shown")


class ReportsAnswer(Answer):
    """The reports that the operator shows, the newest first."""

    shown: bool = Field(description="false: the setting reports_folder is not set")
    reports: list[ReportAnswer]
