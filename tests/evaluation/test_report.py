"""Rules of evaluation.report and evaluation.provenance."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from core.artifacts import read_manifest, verify_files
from core.errors import ArtifactError
from core.pairs.pair import Pair
from evaluation.report import KIND, SCHEMA_VERSION, refuse_existing, report_json, write_report
from evaluation.retrieval import RetrievalReport, evaluate_retrieval
from evaluation.zero_shot import ZeroShotReport, evaluate_zero_shot
from tests.fakes import FakeEncoder, picture_bytes


def pairs_in(folder: Path) -> list[Pair]:
    """Write three pictures, the last of them corrupt, with captions and labels."""
    pairs = []
    folder.mkdir(exist_ok=True)
    for colour in ("red", "blue", "green"):
        path = folder / f"{colour}.png"
        path.write_bytes(picture_bytes(colour) if colour != "green" else b"broken")
        captions = (f'a {colour} "thing", big',)
        pairs.append(Pair(id=colour, image=path, captions=captions, label=colour))
    return pairs


def retrieval_report(folder: Path) -> RetrievalReport:
    """Evaluate retrieval on the three pictures."""
    return evaluate_retrieval(FakeEncoder(), pairs_in(folder), ks=[1, 10])


def zero_shot_report(folder: Path) -> ZeroShotReport:
    """Evaluate labels on the three pictures."""
    return evaluate_zero_shot(FakeEncoder(), pairs_in(folder))


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file."""
    return list(csv.reader(path.read_text().splitlines()))


def test_the_json_of_retrieval_says_what_was_measured(tmp_path: Path) -> None:
    """Every metric under its own name, with its number of queries."""
    report = report_json(retrieval_report(tmp_path))

    assert report["schema_version"] == 1
    assert report["metrics"] == {
        "precision@1": {"value": 1.0, "n": 2},
        "recall@1": {"value": 1.0, "n": 2},
        "hit@1": {"value": 1.0, "n": 2},
        "precision@2": {"value": 0.5, "n": 2},
        "recall@2": {"value": 1.0, "n": 2},
        "hit@2": {"value": 1.0, "n": 2},
        "mean_average_precision": {"value": 1.0, "n": 2},
        "mean_reciprocal_rank": {"value": 1.0, "n": 2},
        "mean_r_precision": {"value": 1.0, "n": 2},
    }
    assert report["curve"] == [
        {"k": 1, "precision": 1.0, "recall": 1.0, "hit": 1.0},
        {"k": 2, "precision": 0.5, "recall": 1.0, "hit": 1.0},
    ]
    assert (report["k_requested"], report["k_effective"]) == ([1, 10], [1, 2])
    assert (report["queries"], report["queries_without_relevant"]) == (2, 1)
    failed = report["failed_images"]
    assert isinstance(failed, list)
    assert failed == [
        {
            "image": str(tmp_path / "green.png"),
            "code": "image_unsupported",
            "message": failed[0]["message"],  # type: ignore[index,call-overload]  # JSON
        }
    ]


def test_the_json_of_labels_has_null_where_a_value_is_not_defined(tmp_path: Path) -> None:
    """Green has no image and is never predicted: null, not NaN, not 0."""
    report = report_json(zero_shot_report(tmp_path))

    assert report["metrics"] == {
        "accuracy": {"value": 1.0, "n": 2},
        "mean_per_class_recall": {"value": 1.0, "n": 2},
    }
    classes = report["per_class"]
    assert isinstance(classes, list)
    assert classes[1] == {
        "label": "green",
        "precision": None,
        "recall": None,
        "f1": None,
        "images": 0,
        "predicted": 0,
    }
    assert report["confusion"] == [
        {"label": "blue", "predicted": "blue", "images": 1},
        {"label": "red", "predicted": "red", "images": 1},
    ]
    json.dumps(report, allow_nan=False)


def test_the_provenance_names_model_data_and_machine(tmp_path: Path) -> None:
    """Two reports can be compared if these agree."""
    found = report_json(retrieval_report(tmp_path))["provenance"]

    assert isinstance(found, dict)
    assert (found["encoder_id"], found["model"]) == ("fa4e000000000001", "fake")
    assert (found["logit_scale"], found["logit_bias"]) == (100.0, 0.0)
    assert len(str(found["data_digest"])) == len(str(found["preprocessing_digest"])) == 64
    assert {"python", "numpy", "pillow"} <= set(found["versions"])  # type: ignore[arg-type]  # JSON
    assert set(found["host"]) == {"system", "machine", "cpus"}  # type: ignore[arg-type]  # JSON


def test_the_data_digest_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    """Moved data is the same data; another byte, caption or label is not."""
    here = retrieval_report(tmp_path / "here").provenance.data_digest
    there = retrieval_report(tmp_path / "there").provenance.data_digest
    pairs = pairs_in(tmp_path / "here")
    pairs[0].image.write_bytes(picture_bytes("yellow"))
    other_byte = evaluate_retrieval(FakeEncoder(), pairs).provenance.data_digest
    pairs = pairs_in(tmp_path / "here")
    pairs[0] = dataclasses.replace(pairs[0], captions=("other",))
    other_caption = evaluate_retrieval(FakeEncoder(), pairs).provenance.data_digest

    assert here == there
    assert len({here, other_byte, other_caption}) == 3


def test_a_retrieval_report_is_a_verified_folder(tmp_path: Path) -> None:
    """Manifest, metrics and one row per query."""
    report = retrieval_report(tmp_path / "data")
    write_report(report, tmp_path / "report")

    folder = tmp_path / "report"
    manifest = read_manifest(folder, kind=KIND, format_version=SCHEMA_VERSION)
    verify_files(folder, manifest)
    assert sorted(manifest.files) == ["metrics.json", "per_query.csv"]
    assert manifest.extra == {"encoder_id": "fa4e000000000001"}
    assert json.loads((folder / "metrics.json").read_text()) == report_json(report)
    rows = rows_of(folder / "per_query.csv")
    assert rows[0][:3] == ["id", "text", "relevant"]
    assert rows[1] == ["red#0", 'a red "thing", big', "1", "1.0", "1.0", "1.0", "1"]


def test_a_report_of_labels_has_its_three_tables(tmp_path: Path) -> None:
    """Classes, the square confusion matrix, and every prediction."""
    write_report(zero_shot_report(tmp_path / "data"), tmp_path / "report")

    folder = tmp_path / "report"
    assert rows_of(folder / "per_class.csv")[2] == ["green", "", "", "", "0", "0"]
    assert rows_of(folder / "confusion.csv") == [
        ["label", "blue", "green", "red"],
        ["blue", "1", "0", "0"],
        ["green", "0", "0", "0"],
        ["red", "0", "0", "1"],
    ]
    predictions = rows_of(folder / "predictions.csv")
    assert predictions[0] == ["id", "label", "predicted", "score", "rank"]
    assert [row[:3] for row in predictions[1:]] == [["red"] * 3, ["blue"] * 3]


def test_the_same_evaluation_writes_the_same_bytes(tmp_path: Path) -> None:
    """No time, no random number and no order of a set gets into a report."""
    for name in ("first", "second"):
        write_report(zero_shot_report(tmp_path / "data"), tmp_path / name)
        shutil.rmtree(tmp_path / "data")

    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_a_report_is_not_written_over_another(tmp_path: Path) -> None:
    """Reports are immutable; the check can be made before the work."""
    (tmp_path / "report").mkdir()

    with pytest.raises(ArtifactError, match="exists already"):
        write_report(retrieval_report(tmp_path / "data"), tmp_path / "report")
    with pytest.raises(ArtifactError, match="exists already"):
        refuse_existing(tmp_path / "report")
    refuse_existing(tmp_path / "other")
