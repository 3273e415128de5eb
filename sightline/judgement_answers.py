"""Judged queries and what they say of the search, as the service answers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.types import JSONObject
from sightline.call import JSONAnswer
from sightline.search_calls import Mode


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query with marks."""

    id: str
    """The same for queries that ask for the same; the query of the qrels."""
    query: str
    mode: Mode
    filter: JSONObject | None
    right: int
    wrong: int
    gone: int
    """Marks of pictures that are not in the gallery now; they count nowhere."""


@dataclass(frozen=True, slots=True)
class JudgedQueryPage:
    """Judged queries, the newest first."""

    queries: tuple[JudgedQuery, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class MeanOfQueries:
    """The mean of a metric."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    """Queries that have a value."""


@dataclass(frozen=True, slots=True)
class SearchQuality:
    """What the judged queries say of the search as it is now."""

    k: int
    mean: Mapping[str, MeanOfQueries]
    """By name of the metric, for example ``precision@10``."""
    queries: Mapping[str, Mapping[str, float | None]]
    """The values of each query, by its id."""
    left_out: int
    """Older queries beyond the limit of one answer."""


def read_judged_page(value: JSONAnswer) -> JudgedQueryPage:
    """Return one page of judged queries."""
    return JudgedQueryPage(tuple(map(_read_query, value["queries"])), value["cursor"])


def read_marks(value: JSONAnswer) -> dict[str, int]:
    """Return the grades of the one query that was asked for, by item id; without what is gone."""
    return {
        str(mark["item_id"]): int(mark["grade"])
        for query in value["queries"]
        for mark in query["marks"] or ()
        if mark["present"]
    }


def read_quality(value: JSONAnswer) -> SearchQuality:
    """Return the quality of the search."""
    return SearchQuality(
        k=int(value["k"]),
        mean={
            name: MeanOfQueries(mean["value"], mean["ci_low"], mean["ci_high"], int(mean["n"]))
            for name, mean in value["mean"].items()
        },
        queries={query["query_id"]: dict(query["values"]) for query in value["queries"]},
        left_out=int(value["left_out"]),
    )


def _read_query(value: JSONAnswer) -> JudgedQuery:
    return JudgedQuery(
        id=value["query_id"],
        query=value["query"],
        mode=value["mode"],
        filter=value["filter"],
        right=int(value["right"]),
        wrong=int(value["wrong"]),
        gone=int(value["gone"]),
    )
