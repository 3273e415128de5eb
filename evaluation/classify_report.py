"""From predictions to the report of a classification: metrics, tables, data for plots.

# N = images scored, C = classes, B = bins
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.measures.intervals import bootstrap, bootstrap_each
from core.types import IdArray, JSONObject
from evaluation.calibration_metrics import (
    adaptive_reliability,
    brier_scores,
    class_wise_calibration_error,
    negative_log_likelihoods,
    reliability,
)
from evaluation.classify_tables import class_rows, confusion_cells, label_tables, prediction_rows
from evaluation.confidence_curves import confidence_json
from evaluation.estimates import (
    Measurements,
    Metric,
    Statistics,
    detectable_differences,
    mean_metrics,
    slice_metrics,
)
from evaluation.label_metrics import (
    ClassCounts,
    averages,
    confusion_matrix,
    counts_of_confusion,
    counts_of_rows,
    matthews_correlation,
    mean_per_class_recall,
    per_class,
    true_label_ranks,
)
from evaluation.latency import latency_histogram, latency_metrics
from evaluation.predictions import Predictions
from evaluation.provenance import Provenance
from evaluation.report import Report
from evaluation.selective_metrics import answered_values, risk_coverage
from evaluation.slices import group_of

TOP_K = 5
"""Accuracy among the best five is reported too, where there are at least five classes."""


def classify_report(
    predictions: Predictions,
    statistics: Statistics,
    *,
    details: JSONObject,
    facts: JSONObject,
    provenance: Provenance,
    label_digest: str,
    template_digest: str | None,
    settings: JSONObject,
    group_by: str | None = None,
    temperature: float | None = None,
    kind: str = "classify",
) -> Report:
    """Return the report of predictions, of calibrated ones too where there is a temperature."""
    measured = measure(predictions, group_by=group_by)
    confusion_CC = confusion_matrix(
        predictions.truth_N, predictions.predicted_N, classes=len(predictions.labels)
    )
    metrics = mean_metrics(measured, statistics=statistics, unit="image")
    metrics |= whole_metrics(predictions, confusion_CC, statistics)
    curves: JSONObject = {"confidence": confidence_json(predictions)}
    if temperature is not None:
        calibrated = predictions.at_temperature(temperature)
        metrics |= calibrated_metrics(calibrated, statistics)
        curves["confidence_calibrated"] = confidence_json(calibrated)
    if predictions.latencies_ms:
        metrics |= latency_metrics(predictions.latencies_ms, statistics)
        curves["latency_histogram"] = latency_histogram(predictions.latencies_ms)
    return Report(
        kind=kind,
        metrics=metrics,
        provenance=provenance,
        comparable={
            "data": provenance.data_digest,
            "labels": label_digest,
            "templates": template_digest,
            "relevance": None,
        },
        settings=settings,
        details={
            "images": len(predictions.pairs),
            "labels": len(predictions.labels),
            "per_class": class_rows(
                predictions.labels, per_class(counts_of_confusion(confusion_CC))
            ),
            "confusion": confusion_cells(predictions.labels, confusion_CC),
            **curves,
            **details,
            "data": facts,
        },
        statistics=statistics,
        measured=measured,
        detectable=detectable_differences(measured),
        slices=(slice_metrics(measured, statistics=statistics, unit="image") if group_by else {}),
        tables=label_tables(predictions.labels, confusion_CC),
        objects={"predictions.jsonl": prediction_rows(predictions)},
    )


def measure(predictions: Predictions, *, group_by: str | None = None) -> Measurements:
    """Return what each image is worth."""
    labels, truth_N = predictions.labels, predictions.truth_N
    ranks_N = true_label_ranks(predictions.logits_NC, truth_N)  # type: ignore[arg-type]  # order only
    values = {"accuracy": (ranks_N == 1).astype(np.float64)}
    if len(labels) >= TOP_K:
        values["accuracy_top5"] = (ranks_N <= TOP_K).astype(np.float64)
    values["nll"] = negative_log_likelihoods(predictions.probabilities_NC, truth_N)
    values["brier"] = brier_scores(predictions.probabilities_NC, truth_N)
    ids = tuple(pair.id for pair in predictions.pairs)
    texts: dict[str, list[str | int | float | None]] = {
        "label": [labels[place] for place in truth_N.tolist()],
        "predicted": [labels[place] for place in predictions.predicted_N.tolist()],
        "confidence": predictions.confidence_N.tolist(),
        "rank": ranks_N.tolist(),
        "image": [str(pair.image) for pair in predictions.pairs],
    }
    if predictions.silences:
        values |= answered_values(predictions.silences, predictions.correct_N)
        texts["no_label_because"] = list(predictions.silences)
    if predictions.latencies_ms:
        texts["latency_ms"] = list(predictions.latencies_ms)
    return Measurements(
        ids=ids,
        clusters=ids,
        groups=tuple(group_of(pair, group_by) for pair in predictions.pairs),
        values=values,
        texts=texts,
    )


def whole_metrics(
    predictions: Predictions, confusion_CC: IdArray, statistics: Statistics
) -> dict[str, Metric]:
    """Return the metrics that are no means over images; intervals where a bootstrap is cheap."""
    count = len(predictions.pairs)
    metrics = class_metrics(predictions, counts_of_confusion(confusion_CC), statistics)
    probabilities_NC, truth_N = predictions.probabilities_NC, predictions.truth_N
    metrics |= calibration_metrics(predictions, statistics)
    metrics["class_wise_ece"] = Metric(
        class_wise_calibration_error(probabilities_NC, truth_N), None, None, count, unit="image"
    )
    curve = risk_coverage(predictions.confidence_N, predictions.correct_N)
    metrics["aurc"] = Metric(curve.area, None, None, count, unit="image")
    return metrics


def class_metrics(
    predictions: Predictions, counts: ClassCounts, statistics: Statistics
) -> dict[str, Metric]:
    """Return the averages over classes; all intervals see the same samples of images.

    A class that is in no image of a sample is in none of its averages, as in the value itself.
    """
    truth_N, predicted_N = predictions.truth_N, predictions.predicted_N
    classes = int((counts.support_C > 0).sum())

    def of_rows(rows: IdArray) -> tuple[float, ...]:
        drawn = counts_of_rows(truth_N[rows], predicted_N[rows], classes=len(predictions.labels))
        return tuple(_over_classes(drawn).values())

    values, count = _over_classes(counts), len(truth_N)
    intervals = bootstrap_each(
        of_rows,
        count,
        level=statistics.level,
        resamples=statistics.resamples,
        seed=statistics.seed,
    )
    of_images = {"mean_per_class_recall", "mcc"}
    return {
        name: Metric(
            value,
            found.low,
            found.high,
            n=count if name in of_images else classes,
            unit="image" if name in of_images else "class",
            method=found.method,
        )
        for (name, value), found in zip(values.items(), intervals, strict=True)
    }


def _over_classes(counts: ClassCounts) -> dict[str, float]:
    """Return each average over classes by its name."""
    together = averages(counts)
    return {
        "mean_per_class_recall": mean_per_class_recall(counts),
        "macro_precision": together.macro_precision,
        "macro_f1": together.macro_f1,
        "weighted_f1": together.weighted_f1,
        "mcc": matthews_correlation(counts),
    }


def calibration_metrics(
    predictions: Predictions, statistics: Statistics, *, suffix: str = ""
) -> dict[str, Metric]:
    """Return ECE with its interval, MCE and adaptive ECE of the best label."""
    confidence_N, correct_N = predictions.confidence_N, predictions.correct_N
    count = len(predictions.pairs)
    found = reliability(confidence_N, correct_N)

    def error(rows: IdArray) -> float:
        return reliability(confidence_N[rows], correct_N[rows]).expected_error

    return {
        f"ece{suffix}": _bootstrapped(found.expected_error, error, count, statistics),
        f"mce{suffix}": Metric(found.maximum_error, None, None, count, unit="image"),
        f"adaptive_ece{suffix}": Metric(
            adaptive_reliability(confidence_N, correct_N).expected_error,
            None,
            None,
            count,
            unit="image",
        ),
    }


def calibrated_metrics(calibrated: Predictions, statistics: Statistics) -> dict[str, Metric]:
    """Return what a temperature changes: calibration, NLL and Brier score, not the accuracy."""
    measured = measure(calibrated)
    means = mean_metrics(
        Measurements(
            measured.ids,
            measured.clusters,
            measured.groups,
            {f"{name}_calibrated": measured.values[name] for name in ("nll", "brier")},
            {},
        ),
        statistics=statistics,
        unit="image",
    )
    return means | calibration_metrics(calibrated, statistics, suffix="_calibrated")


def _bootstrapped(
    value: float, statistic: Callable[[IdArray], float], count: int, statistics: Statistics
) -> Metric:
    interval = bootstrap(
        statistic,
        count,
        level=statistics.level,
        resamples=statistics.resamples,
        seed=statistics.seed,
    )
    return Metric(value, interval.low, interval.high, count, unit="image", method=interval.method)
