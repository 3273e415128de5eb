"""Tables of a classification: classes, confusion, and every prediction.

# N = images scored, C = classes
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.types import IdArray, JSONObject, JSONValue
from evaluation.label_metrics import PerClass, counts_of_confusion, per_class
from evaluation.predictions import Predictions
from evaluation.report import Cell, Table

_SHOWN_LABELS = 5


def class_rows(labels: Sequence[str], classes: PerClass) -> list[JSONValue]:
    """Return one object per class; a value that is 0 / 0 is ``null``."""
    return [
        {
            "label": label,
            "precision": _number(classes.precision_C[place]),
            "recall": _number(classes.recall_C[place]),
            "f1": _number(classes.f1_C[place]),
            "images": int(classes.support_C[place]),
            "predicted": int(classes.predicted_C[place]),
        }
        for place, label in enumerate(labels)
    ]


def confusion_cells(labels: Sequence[str], confusion_CC: IdArray) -> list[JSONValue]:
    """Return the cells of the confusion matrix that are not 0: it is mostly zeros."""
    return [
        {"label": label, "predicted": labels[column], "images": int(row_C[column])}
        for label, row_C in zip(labels, confusion_CC, strict=True)
        for column in row_C.nonzero()[0]
    ]


def label_tables(labels: Sequence[str], confusion_CC: IdArray) -> dict[str, Table]:
    """Return ``per_class.csv`` and ``confusion.csv``, rows the true class."""
    classes = per_class(counts_of_confusion(confusion_CC))
    names = ("label", "precision", "recall", "f1", "images", "predicted")
    rows: list[Sequence[Cell]] = [names]
    rows += [
        (
            label,
            _number(classes.precision_C[place]),
            _number(classes.recall_C[place]),
            _number(classes.f1_C[place]),
            int(classes.support_C[place]),
            int(classes.predicted_C[place]),
        )
        for place, label in enumerate(labels)
    ]
    confusion: list[Sequence[Cell]] = [("label", *labels)]
    confusion += [
        (label, *row_C.tolist()) for label, row_C in zip(labels, confusion_CC, strict=True)
    ]
    return {"per_class.csv": rows, "confusion.csv": confusion}


def prediction_rows(predictions: Predictions) -> list[JSONObject]:
    """Return what was said of each image: the best labels with their probabilities."""
    order_NK = np.argsort(-predictions.logits_NC, axis=1, kind="stable")[:, :_SHOWN_LABELS]
    rows: list[JSONObject] = []
    for row, pair in enumerate(predictions.pairs):
        found: list[JSONValue] = [
            {
                "label": predictions.labels[column],
                "score": float(predictions.probabilities_NC[row, column]),
            }
            for column in order_NK[row].tolist()
        ]
        rows.append(
            {
                "id": pair.id,
                "image": str(pair.image),
                "label": predictions.labels[int(predictions.truth_N[row])],
                "labels": found,
            }
        )
    return rows


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
