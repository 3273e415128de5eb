"""``/v1/judgements`` over HTTP: marks, what they say, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.measures.trec import read_qrels, read_run
from core.pairs.reading import read_pairs
from evaluation.score import evaluate_run
from tests.fakes import picture_bytes
from tests.service.running import add_colours, error_of, running

URL = "/v1/judgements"
QUALITY = f"{URL}/quality"
EXPORT = f"{URL}/export"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve six colours, for one test alone."""
    with running(tmp_path) as opened:
        add_colours(opened)
        yield opened


def put(client: httpx.Client, query: str = "red", **grades: int | None) -> httpx.Response:
    """Mark items of a query."""
    marks = [{"item_id": name, "grade": grade} for name, grade in grades.items()]
    return client.put(URL, json={"query": query, "marks": marks})


def marks_of(client: httpx.Client, **asked: Any) -> dict[str, int]:
    """Return the grades of a query."""
    (found,) = client.get(URL, params=asked).json()["queries"]
    return {mark["item_id"]: mark["grade"] for mark in found["marks"]}


def test_marks_are_kept_listed_and_taken_back(client: httpx.Client) -> None:
    """The answer tells what the query has now."""
    first = put(client, red=1, blue=0, nobody=1).json()
    last = put(client, " red ", blue=None).json()

    assert (first["query"]["right"], first["query"]["wrong"]) == (1, 1)
    assert first["unknown"] == ["nobody"]
    assert (last["query"]["right"], last["query"]["wrong"]) == (1, 0)
    assert last["query"]["query_id"] == first["query"]["query_id"]
    assert marks_of(client, q="red") == {"red": 1}
    assert put(client, red=None).json() == {"query": None, "unknown": []}
    assert client.get(URL).json() == {"queries": [], "cursor": None}


def test_mode_and_filter_belong_to_the_query(client: httpx.Client) -> None:
    """The same words with another filter are another query."""
    body = {"query": "red", "mode": "hybrid", "filter": {"n": {"gte": 1}}}
    client.put(URL, json={**body, "marks": [{"item_id": "green", "grade": 1}]})

    (listed,) = client.get(URL).json()["queries"]

    assert (listed["query"], listed["mode"], listed["filter"]) == (
        "red",
        "hybrid",
        {"n": {"gte": 1}},
    )
    assert listed["marks"] is None
    assert marks_of(client, q="red", mode="hybrid", filter='{"n": {"gte": 1}}') == {"green": 1}
    assert client.get(URL, params={"q": "red"}).json()["queries"] == []


def test_queries_are_listed_by_page(client: httpx.Client) -> None:
    """The newest first, without gaps or repeats."""
    for number in range(5):
        put(client, f"red {number}", red=1)

    found: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = client.get(URL, params=params).json()
        found += [one["query"] for one in page["queries"]]
        if page["cursor"] is None:
            break
        params["cursor"] = page["cursor"]

    assert sorted(found) == [f"red {number}" for number in range(5)]


def test_all_marks_of_a_query_are_taken_back_at_once(client: httpx.Client) -> None:
    """Those of others stay."""
    put(client, red=1, blue=0)
    put(client, "green", green=1)

    assert client.delete(URL, params={"q": "red"}).json() == {"deleted": 2}
    assert [one["query"] for one in client.get(URL).json()["queries"]] == ["green"]


def test_what_cannot_be_judged_is_refused(client: httpx.Client) -> None:
    """Unknown items, empty queries, other grades, other filters; each with its status."""
    assert error_of(put(client, nobody=1), 404)["param"] == "marks"
    assert error_of(put(client, "  ", red=1), 400)["param"] == "query"
    error_of(put(client, red=2), 422)
    error_of(client.put(URL, json={"query": "red", "marks": []}), 422)
    error_of(client.get(URL, params={"q": "red", "filter": "[]"}), 400)
    error_of(client.get(URL, params={"limit": 5000}), 422)
    error_of(client.get(QUALITY, params={"k": 5000}), 422)
    error_of(client.get(URL, params={"q": "x" * 5000}), 422)


def test_quality_is_that_of_the_search_as_it_is(client: httpx.Client) -> None:
    """Unjudged hits count as wrong in precision, and are told apart beside it."""
    order = [hit["id"] for hit in client.get("/v1/search", params={"q": "red"}).json()["hits"]]
    put(client, **{order[0]: 1, order[2]: 0})

    found = client.get(QUALITY, params={"k": 4}).json()
    one = client.get(QUALITY, params={"k": 4, "q": "red"}).json()

    values = found["queries"][0]["values"]
    assert values["precision@4"] == 0.25
    assert values["judged_precision@4"] == 0.5
    assert values["judged@4"] == 0.5
    assert found["mean"]["recall@4"]["value"] == 1.0
    assert found["left_out"] == 0
    assert one["queries"] == found["queries"]


def test_quality_without_marks_is_empty(client: httpx.Client) -> None:
    """And of a query that nobody judged too: it has no values."""
    assert client.get(QUALITY).json()["queries"] == []
    assert client.get(QUALITY, params={"q": "red"}).json()["queries"][0]["values"] == {}


def test_the_files_go_through_evaluate_score(client: httpx.Client, tmp_path: Path) -> None:
    """Qrels and run, scored offline, are what the panel shows."""
    put(client, red=1, blue=0)
    put(client, "blue -red", blue=1, green=1)
    for name in ("qrels", "run"):
        answer = client.get(EXPORT, params={"format": name})
        assert "attachment" in answer.headers["content-disposition"]
        (tmp_path / name).write_bytes(answer.content)

    report = evaluate_run(read_qrels(tmp_path / "qrels"), read_run(tmp_path / "run"), ks=(3,))
    live = client.get(QUALITY, params={"k": 3}).json()["mean"]

    for name in ("precision@3", "recall@3", "hit@3", "ndcg@3"):
        assert live[name]["value"] == pytest.approx(report.metrics[name].value, abs=1e-6)


def test_queries_and_lines_name_the_same_queries(client: httpx.Client) -> None:
    """One line a query, one line a mark."""
    name = put(client, red=1, blue=0).json()["query"]["query_id"]

    queries = client.get(EXPORT, params={"format": "queries"}).text
    lines = client.get(EXPORT, params={"format": "jsonl"}).text.splitlines()

    assert queries == f"{name}\tred\n"
    assert len(lines) == 2
    assert all(name in line for line in lines)


def test_right_hits_come_as_training_pairs(client: httpx.Client, tmp_path: Path) -> None:
    """A tar that core.pairs reads; queries that are no caption give none."""
    put(client, "a warm colour", red=1, blue=0)
    put(client, "red -blue", red=1)
    answer = client.get(EXPORT, params={"format": "pairs"})
    (tmp_path / "pairs.tar").write_bytes(answer.content)

    (pair,) = read_pairs(tmp_path / "pairs.tar")

    assert answer.headers["content-type"] == "application/x-tar"
    assert pair.captions == ("a warm colour",)
    assert picture_bytes("red") in answer.content


def test_a_read_only_service_shows_marks_and_takes_none(tmp_path: Path) -> None:
    """Its answers are those of the process that writes."""
    with running(tmp_path) as writer:
        add_colours(writer)
        put(writer, red=1)
    with running(tmp_path, read_only=True) as reader:
        assert error_of(put(reader, blue=0), 403)["code"] == "read_only"
        assert error_of(reader.delete(URL, params={"q": "red"}), 403)["code"] == "read_only"
        assert marks_of(reader, q="red") == {"red": 1}
        assert reader.get(QUALITY, params={"k": 1}).json()["mean"]["precision@1"]["value"] == 1.0
