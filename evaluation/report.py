"""Reports: an evaluation as strict JSON, and as a folder with tables beside it.

A report folder is an artifact: ``manifest.json``, ``metrics.json``, and ``per_query.csv`` for
retrieval, or ``per_class.csv``, ``confusion.csv`` and ``predictions.csv`` for labels. The same
data, model and release give the same bytes.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.artifacts import new_artifact, write_atomic, write_json
from core.errors import ArtifactError
from core.types import JSONObject, JSONValue
from evaluation.images import FailedImage
from evaluation.provenance import Provenance
from evaluation.retrieval import RetrievalReport
from evaluation.zero_shot import ZeroShotReport

KIND = "report"
SCHEMA_VERSION = 1
"""Raised when a field of ``metrics.json`` changes its meaning."""

Report = RetrievalReport | ZeroShotReport

_Cell = str | int | float | None


def report_json(report: Report) -> JSONObject:
    """Return the report as strict JSON: no NaN, a metric without a value is ``null``."""
    if isinstance(report, RetrievalReport):
        return _retrieval_json(report)
    return _zero_shot_json(report)


def write_report(report: Report, folder: Path) -> None:
    """Write the report as a new folder, all of it or nothing.

    Raises:
        ArtifactError: the folder exists already.
    """
    tables = (
        _retrieval_tables(report)
        if isinstance(report, RetrievalReport)
        else _zero_shot_tables(report)
    )
    with new_artifact(
        folder,
        kind=KIND,
        format_version=SCHEMA_VERSION,
        extra={"encoder_id": report.provenance.encoder_id},
    ) as temporary:
        write_json(temporary / "metrics.json", report_json(report))
        for name, rows in tables.items():
            write_atomic(temporary / name, _csv(rows))


def refuse_existing(folder: Path) -> None:
    """Say before the work, not after it, that a report would not be written over another.

    Raises:
        ArtifactError: the folder exists already.
    """
    if folder.exists():
        raise ArtifactError(f"{folder} exists already; reports are immutable, choose a new name")


def _retrieval_json(report: RetrievalReport) -> JSONObject:
    scores = report.scores
    count = len(scores.queries)
    curve = scores.curve
    metrics: JSONObject = {}
    for k in scores.ks:
        metrics[f"precision@{k}"] = _metric(curve.precision_K[k - 1], count)
        metrics[f"recall@{k}"] = _metric(curve.recall_K[k - 1], count)
        metrics[f"hit@{k}"] = _metric(curve.hit_K[k - 1], count)
    metrics["mean_average_precision"] = _metric(scores.mean_average_precision, count)
    metrics["mean_reciprocal_rank"] = _metric(scores.mean_reciprocal_rank, count)
    metrics["mean_r_precision"] = _metric(scores.mean_r_precision, count)
    columns = zip(curve.precision_K, curve.recall_K, curve.hit_K, strict=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "retrieval",
        "direction": report.direction,
        "average": "macro: mean over queries",
        "metrics": metrics,
        "curve": [
            {"k": k, "precision": float(precision), "recall": float(recall), "hit": float(hit)}
            for k, (precision, recall, hit) in enumerate(columns, start=1)
        ],
        "k_requested": list(report.ks_requested),
        "k_effective": list(scores.ks),
        "queries": count,
        "queries_without_relevant": scores.queries_without_relevant,
        "gallery": scores.gallery_size,
        "pairs": report.pairs,
        "captions": report.captions,
        "failed_images": _failed(report.failed),
        "provenance": _provenance(report.provenance),
    }


def _zero_shot_json(report: ZeroShotReport) -> JSONObject:
    count = len(report.predictions)
    classes = report.classes
    with_images = int((classes.support_C > 0).sum())
    metrics: JSONObject = {
        "accuracy": _metric(report.accuracy, count),
        "mean_per_class_recall": _metric(report.mean_per_class_recall, with_images),
    }
    if report.accuracy_top5 is not None:
        metrics["accuracy_top5"] = _metric(report.accuracy_top5, count)
    per_class: list[JSONValue] = [
        {
            "label": label,
            "precision": _number(classes.precision_C[place]),
            "recall": _number(classes.recall_C[place]),
            "f1": _number(classes.f1_C[place]),
            "images": int(classes.support_C[place]),
            "predicted": int(classes.predicted_C[place]),
        }
        for place, label in enumerate(report.labels)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "zeroshot",
        "metrics": metrics,
        "per_class": per_class,
        "confusion": _confused(report),
        "images": count,
        "pairs": report.pairs,
        "pairs_without_label": report.unlabelled,
        "pairs_with_other_labels": dict(report.other_labels),
        "failed_images": _failed(report.failed),
        "labels": len(report.labels),
        "label_digest": report.label_digest,
        "template_set": report.templates.name,
        "templates": list(report.templates.templates),
        "template_digest": report.templates.digest,
        "provenance": _provenance(report.provenance),
    }


def _confused(report: ZeroShotReport) -> list[JSONValue]:
    """Return the cells of the confusion matrix that are not 0: it is mostly zeros."""
    return [
        {"label": label, "predicted": report.labels[column], "images": int(row_C[column])}
        for label, row_C in zip(report.labels, report.confusion_CC, strict=True)
        for column in row_C.nonzero()[0]
    ]


def _retrieval_tables(report: RetrievalReport) -> dict[str, list[Sequence[_Cell]]]:
    header = ("id", "text", "relevant", "average_precision", "reciprocal_rank", "r_precision")
    rows: list[Sequence[_Cell]] = [(*header, "ranks")]
    rows += [
        (
            query.id,
            query.text,
            len(query.ranks),
            query.average_precision,
            query.reciprocal_rank,
            query.r_precision,
            " ".join(map(str, query.ranks)),
        )
        for query in report.scores.queries
    ]
    return {"per_query.csv": rows}


def _zero_shot_tables(report: ZeroShotReport) -> dict[str, list[Sequence[_Cell]]]:
    classes = report.classes
    per_class: list[Sequence[_Cell]] = [
        ("label", "precision", "recall", "f1", "images", "predicted")
    ]
    per_class += [
        (
            label,
            _number(classes.precision_C[place]),
            _number(classes.recall_C[place]),
            _number(classes.f1_C[place]),
            int(classes.support_C[place]),
            int(classes.predicted_C[place]),
        )
        for place, label in enumerate(report.labels)
    ]
    confusion: list[Sequence[_Cell]] = [("label", *report.labels)]
    confusion += [
        (label, *row_C.tolist())
        for label, row_C in zip(report.labels, report.confusion_CC, strict=True)
    ]
    predictions: list[Sequence[_Cell]] = [("id", "label", "predicted", "score", "rank")]
    predictions += [
        (item.id, item.truth, item.predicted, item.score, item.true_rank)
        for item in report.predictions
    ]
    return {
        "per_class.csv": per_class,
        "confusion.csv": confusion,
        "predictions.csv": predictions,
    }


def _metric(value: float, count: int) -> JSONObject:
    """Return a value with the number of queries, images or classes it is the mean of."""
    return {"value": _number(value), "n": count}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _failed(failed: Sequence[FailedImage]) -> list[JSONValue]:
    return [
        {"image": str(item.image), "code": item.code, "message": item.message} for item in failed
    ]


def _provenance(value: Provenance) -> JSONObject:
    fields: JSONObject = dataclasses.asdict(value)
    return fields


def _csv(rows: Iterable[Sequence[_Cell]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
