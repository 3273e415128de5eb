"""Rules of evaluation.report_reading and evaluation.report_comparison, on real folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactError, ConflictError, IntegrityError, UsageError
from evaluation.report_comparison import (
    compare_reports,
    comparison_json,
    differing_digests,
    headline_names,
)
from evaluation.report_reading import read_report
from tests.evaluation.report_folders import write_queries

HITS = {"hit@1": [0.0, 1.0, 1.0, 0.0], "recall@5": [0.2, 1.0, float("nan"), 0.4]}
BETTER = {"hit@1": [1.0, 1.0, 1.0, 0.0], "recall@5": [0.4, 1.0, 0.5, 0.6]}


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Values to the last bit, an empty cell as NaN, clusters, digests, metrics."""
    folder = write_queries(
        tmp_path / "a", HITS, clusters=["x", "x", "y", "y"], further={"latency_p95_ms": 7.5}
    )

    report = read_report(folder)

    assert report.queries is not None
    assert report.queries.ids == ("q0", "q1", "q2", "q3")
    assert report.queries.clusters == ("x", "x", "y", "y")
    np.testing.assert_array_equal(report.queries.values["recall@5"], HITS["recall@5"])
    assert report.metrics == {
        "hit@1": 0.5,
        "recall@5": pytest.approx(1.6 / 3),
        "latency_p95_ms": 7.5,
    }
    assert report.comparable["data"] == "d1"
    assert (report.kind, report.model) == ("retrieval", "tiny")


@pytest.mark.parametrize("name", ["metrics.json", "per_query.csv"])
def test_a_file_of_the_folder_stands_for_the_folder(tmp_path: Path, name: str) -> None:
    """What a shell completes is taken too."""
    folder = write_queries(tmp_path / "a", HITS)

    assert read_report(folder / name).metrics == read_report(folder).metrics


def test_a_report_that_was_changed_is_refused(tmp_path: Path) -> None:
    """One digit in one cell: the digest of the manifest differs."""
    table = write_queries(tmp_path / "a", HITS) / "per_query.csv"
    table.write_text(table.read_text().replace("0.2", "0.9"))

    with pytest.raises(IntegrityError, match="per_query"):
        read_report(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("metrics.json", '"schema_version": 2', '"schema_version": 1', "schema version 1"),
        ("metrics.json", '"value": 0.5', '"value": "high"', "has no value"),
        ("metrics.json", '"data": "d1"', '"data": 5', "no digest"),
        ("metrics.json", '"comparable": {', '"other": {', "no table 'comparable'"),
        ("metrics.json", '"per_query_metrics": [', '"per_query_metrics": [3,', "no list of names"),
        ("metrics.json", '"per_query_metrics": [', '"per_query_metrics": ["mrr",', "column 'mrr'"),
        ("per_query.csv", "q1,", "q0,", "an id twice"),
        ("per_query.csv", "0.2", "good", "line 2: 'good' is no number"),
        ("per_query.csv", "0.2", "inf", "not finite"),
    ],
)
def test_a_report_that_does_not_fit_is_refused(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    """Without its manifest a folder may say anything: each table is checked."""
    folder = write_queries(tmp_path / "a", HITS)
    (folder / "manifest.json").unlink()
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))

    with pytest.raises(ArtifactError, match=message):
        read_report(folder)


def test_a_folder_that_is_no_report_is_refused(tmp_path: Path) -> None:
    """Nothing there, and a report whose table is missing."""
    with pytest.raises(ArtifactError, match="does not exist"):
        read_report(tmp_path / "nothing")
    folder = write_queries(tmp_path / "a", HITS)
    (folder / "manifest.json").unlink()
    (folder / "per_query.csv").unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_report(folder)


def test_queries_are_matched_by_id(tmp_path: Path) -> None:
    """The rows of the second report are in another order; nothing differs but the values."""
    before = read_report(write_queries(tmp_path / "a", HITS))
    shuffled = {name: values[::-1] for name, values in HITS.items()}
    after = read_report(write_queries(tmp_path / "b", shuffled, ids=["q3", "q2", "q1", "q0"]))

    comparison = compare_reports(before, after)

    assert [item.difference for item in comparison.differences] == [0.0, 0.0]
    assert (comparison.queries, comparison.unmatched) == (4, 0)


def test_differences_are_candidate_less_baseline(tmp_path: Path) -> None:
    """One more hit of four; recall of the three queries that have it in both."""
    comparison = compare_reports(
        read_report(write_queries(tmp_path / "a", HITS, further={"micro": 0.4})),
        read_report(write_queries(tmp_path / "b", BETTER, further={"micro": 0.6})),
    )

    hit, recall = comparison.differences
    assert (hit.difference, hit.wins, hit.ties, hit.losses) == (0.25, 1, 3, 0)
    assert (recall.n, recall.difference) == (3, pytest.approx(0.4 / 3))
    assert comparison.untested == ("micro",)


@pytest.mark.parametrize("name", ["data", "labels", "templates", "relevance"])
def test_reports_of_other_data_are_not_compared(tmp_path: Path, name: str) -> None:
    """Each digest is looked at, and named."""
    before = read_report(write_queries(tmp_path / "a", HITS))
    after = read_report(write_queries(tmp_path / "b", HITS, digests={name: "other"}))

    with pytest.raises(ConflictError, match=name):
        compare_reports(before, after)
    assert differing_digests(before, after) == (name,)
    assert compare_reports(before, after, different_data=True).differing == (name,)


def test_reports_of_other_kinds_are_not_compared(tmp_path: Path) -> None:
    """Retrieval and classification have no metric in common, whatever the names."""
    before = read_report(write_queries(tmp_path / "a", HITS))
    after = read_report(write_queries(tmp_path / "b", HITS, kind="classify"))

    with pytest.raises(ConflictError, match="kind"):
        compare_reports(before, after)


def test_queries_of_one_report_only_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    """Three of four are in both; on request these are compared."""
    before = read_report(write_queries(tmp_path / "a", HITS))
    after = read_report(write_queries(tmp_path / "b", HITS, ids=["q0", "q1", "q2", "new"]))

    with pytest.raises(ConflictError, match="only 3 of 4 and 4"):
        compare_reports(before, after)
    allowed = compare_reports(before, after, different_data=True)
    assert (allowed.queries, allowed.unmatched) == (3, 2)


def test_no_query_in_common_is_nothing_to_compare(tmp_path: Path) -> None:
    """Also when other data were allowed."""
    before = read_report(write_queries(tmp_path / "a", {"x": [1.0]}, ids=["one"]))
    after = read_report(write_queries(tmp_path / "b", {"x": [1.0]}, ids=["two"]))

    with pytest.raises(UsageError, match="no query is in both"):
        compare_reports(before, after, different_data=True)


def test_an_unknown_metric_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """A typing error is no empty comparison."""
    report = read_report(write_queries(tmp_path / "a", HITS))

    with pytest.raises(UsageError, match=r"did you mean 'recall@5'"):
        compare_reports(report, report, metrics=["recal@5"])


def test_the_headlines_are_compared_unless_all_are_asked_for(tmp_path: Path) -> None:
    """Each further metric costs power; what is not in the headlines is asked for by name."""
    report = read_report(write_queries(tmp_path / "a", {**HITS, "f1@5": HITS["recall@5"]}))

    default = compare_reports(report, report).differences
    every = compare_reports(report, report, metrics=["all"]).differences

    assert [item.name for item in default] == ["hit@1", "recall@5"]
    assert [item.name for item in every] == ["hit@1", "recall@5", "f1@5"]
    assert headline_names(["x", "y"]) == ["x", "y"]


def test_a_report_without_values_of_queries_cannot_be_paired(tmp_path: Path) -> None:
    """An index's report has a mean and no rows."""
    report = read_report(write_queries(tmp_path / "a", {}, further={"x": 1.0}, kind="ann"))

    with pytest.raises(UsageError, match="nothing to pair"):
        compare_reports(report, report)


def test_the_comparison_is_strict_json_and_the_same_each_time(tmp_path: Path) -> None:
    """No NaN, no infinity; two runs give the same bytes."""
    before = read_report(write_queries(tmp_path / "a", HITS))
    after = read_report(write_queries(tmp_path / "b", BETTER))

    texts = [
        json.dumps(comparison_json(compare_reports(before, after, resamples=100)), allow_nan=False)
        for _ in range(2)
    ]

    assert texts[0] == texts[1]
    assert json.loads(texts[0])["metrics"]["hit@1"]["difference"] == 0.25
