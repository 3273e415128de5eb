"""Rules of evaluation.report, evaluation.markdown and evaluation.provenance."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artifacts import read_manifest, verify_files
from core.errors import ArtifactError
from evaluation.classify import ClassifyOptions, evaluate_classify
from evaluation.embeddings import Embeddings
from evaluation.estimates import Metric, Statistics
from evaluation.markdown import markdown_report
from evaluation.report import (
    KIND,
    SCHEMA_VERSION,
    Report,
    refuse_existing,
    report_json,
    write_report,
)
from evaluation.report_reading import read_report
from evaluation.retrieval import evaluate_retrieval
from evaluation.retrieval_options import RetrievalOptions
from tests.evaluation.colour_pairs import broken_pair, embedded, pair

QUICK = ClassifyOptions(statistics=Statistics(resamples=50))


def data(folder: Path) -> Embeddings:
    """Return two pictures and a corrupt one, with captions and labels."""
    folder.mkdir(exist_ok=True)
    pairs = [
        pair(folder, colour, colour, f'a {colour} "thing", big', label=colour, kind="ink|dye")
        for colour in ("red", "blue")
    ]
    return embedded(
        [*pairs, broken_pair(folder, "green", "a green thing", label="green")],
        ["blue", "green", "red"],
    )


def retrieval(folder: Path) -> Report:
    """Evaluate retrieval on the three pictures."""
    options = RetrievalOptions(ks=(1, 10), group_by="kind", statistics=Statistics(resamples=50))
    return evaluate_retrieval(data(folder), options)


def content_of(report: Report) -> dict[str, Any]:
    """Return the JSON of a report."""
    return dict(report_json(report))


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file."""
    return list(csv.reader(path.read_text().splitlines()))


def test_a_metric_says_how_sure_it_is(tmp_path: Path) -> None:
    """Value, interval, how many units, how many were left out, and what a unit is."""
    found = content_of(retrieval(tmp_path))

    assert found["schema_version"] == 2
    assert found["metrics"]["hit@1"] == {
        "value": 1.0,
        "ci_low": pytest.approx(0.3424, abs=1e-4),
        "ci_high": 1.0,
        "n": 2,
        "n_no_rel": 1,
        "unit": "query",
        "method": "wilson",
    }
    assert found["curve"] == [
        {"k": 1, "precision": 1.0, "recall": 1.0, "hit": 1.0},
        {"k": 2, "precision": 0.5, "recall": 1.0, "hit": 1.0},
    ]
    assert (found["k_requested"], found["k_effective"]) == ([1, 10], [1, 2])
    assert set(found["comparable"]) == {"data", "labels", "templates", "relevance"}


def test_every_column_of_the_queries_has_the_metric_as_its_mean(tmp_path: Path) -> None:
    """So that anyone can make intervals of their own, and compare two reports query by query."""
    report = retrieval(tmp_path / "data")
    write_report(report, tmp_path / "report")
    rows = rows_of(tmp_path / "report" / "per_query.csv")
    found = content_of(report)

    assert rows[0][:3] == ["id", "cluster", "group"]
    assert rows[1][:4] == ["red#0", "red", "ink|dye", 'a red "thing", big']
    for name in found["per_query_metrics"]:
        column = rows[0].index(name)
        mean = np.mean([float(row[column]) for row in rows[1:]])
        assert mean == pytest.approx(found["metrics"][name]["value"]), name


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    """Strict JSON has no NaN, and neither has the table: an empty cell."""
    report = retrieval(tmp_path)
    assert report.measured is not None
    report.measured.values["hit@1"][0] = np.nan
    bad = Metric(float("nan"), float("-inf"), float("inf"), n=0)
    report = dataclasses.replace(report, metrics={"x": bad}, slices={})
    write_report(report, tmp_path / "report")

    text = (tmp_path / "report" / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["x"]["value"] is None
    rows = rows_of(tmp_path / "report" / "per_query.csv")
    assert rows[1][rows[0].index("hit@1")] == ""


def test_a_report_is_a_verified_folder_with_all_its_files(tmp_path: Path) -> None:
    """Retrieval has TREC files, labels have their tables; both say what is in them."""
    write_report(retrieval(tmp_path / "data"), tmp_path / "r")
    write_report(evaluate_classify(data(tmp_path / "data"), QUICK), tmp_path / "c")

    for name in ("r", "c"):
        manifest = read_manifest(tmp_path / name, kind=KIND, format_version=SCHEMA_VERSION)
        verify_files(tmp_path / name, manifest)
        assert manifest.extra == {"encoder_id": "fa4e000000000001"}
    common = {
        *("manifest.json", "metrics.json", "per_query.csv"),
        *("predictions.jsonl", "report.md", "report.html"),
    }
    assert {path.name for path in (tmp_path / "r").iterdir()} == {
        *common,
        "run.trec",
        "qrels.trec",
    }
    assert {path.name for path in (tmp_path / "c").iterdir()} == {
        *common,
        "per_class.csv",
        "confusion.csv",
    }
    assert rows_of(tmp_path / "c" / "per_class.csv")[2] == ["green", "", "", "", "0", "0"]
    assert rows_of(tmp_path / "c" / "confusion.csv")[0] == ["label", "blue", "green", "red"]


def test_a_report_is_read_back_by_the_reader_of_comparisons(tmp_path: Path) -> None:
    """The two ends of the schema agree."""
    report = retrieval(tmp_path / "data")
    write_report(report, tmp_path / "report")

    stored = read_report(tmp_path / "report")

    assert stored.kind == "retrieval"
    assert stored.queries is not None
    assert stored.queries.ids == ("red#0", "blue#0")
    assert stored.queries.clusters == ("red", "blue")
    assert stored.metrics["hit@1"] == 1.0


def test_the_same_evaluation_writes_the_same_bytes(tmp_path: Path) -> None:
    """No time, no unseeded random number and no order of a set gets into a report."""
    for name in ("first", "second"):
        write_report(retrieval(tmp_path / "data"), tmp_path / name / "r")
        write_report(evaluate_classify(data(tmp_path / "data"), QUICK), tmp_path / name / "c")

    files = [path for path in (tmp_path / "first").rglob("*") if path.is_file()]
    assert len(files) == 16
    for path in files:
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_the_data_digest_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    """Moved data is the same data; another caption is not."""
    here = data(tmp_path / "here").provenance.data_digest
    there = data(tmp_path / "there").provenance.data_digest
    pairs = list(data(tmp_path / "here").pairs)
    pairs[0] = dataclasses.replace(pairs[0], captions=("other",))

    assert here == there
    assert embedded(pairs).provenance.data_digest != here


def test_the_markdown_is_made_of_the_json_alone(tmp_path: Path) -> None:
    """What ``evaluate report`` renders again is what was written; a bar in a value ends no cell."""
    report = retrieval(tmp_path / "data")
    write_report(report, tmp_path / "report")
    content = json.loads((tmp_path / "report" / "metrics.json").read_text())

    text = (tmp_path / "report" / "report.md").read_text()

    assert markdown_report(content) == text
    assert "| hit@1 | 1.0000 | 0.3424..1.0000 | 2 |" in text
    assert "ink\\|dye" in text
    assert "green.png" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_a_report_is_not_written_over_another(tmp_path: Path) -> None:
    """Reports are immutable; the check can be made before the work."""
    (tmp_path / "report").mkdir()

    with pytest.raises(ArtifactError, match="exists already"):
        write_report(retrieval(tmp_path / "data"), tmp_path / "report")
    with pytest.raises(ArtifactError, match="exists already"):
        refuse_existing(tmp_path / "report")
    refuse_existing(tmp_path / "other")
