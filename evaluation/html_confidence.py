"""Confidence on a page: is 0.8 right 8 times in 10, what abstaining buys, what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.html_markup import (
    Markup,
    bar,
    element,
    figure,
    figures,
    joined,
    paragraph,
    section,
    table,
)
from evaluation.markdown import interval_text, number
from evaluation.plots import UNIT, Axis, Line, bar_plot, line_plot

_ERRORS = ("ece", "adaptive_ece", "mce", "nll", "brier")
_MOST_SIZES = 20


def confidence_sections(fields: Mapping[str, Any]) -> list[Markup]:
    """Return calibration, abstaining, thresholds, prediction sets and unknown images."""
    curves = {
        name: fields[key]
        for name, key in (("before", "confidence"), ("after", "confidence_calibrated"))
        if fields.get(key)
    }
    if not curves:
        return []
    return [
        _calibration(curves, fields),
        _abstaining(curves),
        _sets(fields.get("conformal")),
        _unknown(fields.get("unknown")),
    ]


def _calibration(curves: Mapping[str, Any], fields: Mapping[str, Any]) -> Markup:
    drawn = [
        _reliability(name, curve["reliability"], both=len(curves) > 1)
        for name, curve in curves.items()
    ]
    fitted = fields.get("calibration")
    note = ""
    if fitted and len(curves) > 1:
        note = (
            f"A temperature of {fitted['temperature']:.4g} was fitted on {fitted['images']} other "
            "images; it changes no label."
        )
    errors = _errors(fields["metrics"], both=len(curves) > 1)
    return section("calibration", "Calibration", paragraph(note), errors, figures(*drawn))


def _errors(metrics: Mapping[str, Any], *, both: bool) -> Markup:
    """Return ECE, Brier and NLL before and after."""
    columns = ["before", "after"] if both else ["value"]
    rows = []
    for name in _ERRORS:
        found = [metrics.get(name), metrics.get(f"{name}_calibrated")][: len(columns)]
        if any(found):
            rows.append([name, *map(_with_interval, found)])
    return table("Errors of the confidence; less is better", ["less is better", *columns], rows)


def _with_interval(metric: Mapping[str, Any] | None) -> str:
    if metric is None:
        return "-"
    between = interval_text(metric)
    value = number(metric["value"])
    return value if between == "-" else f"{value} ({between})"


def _reliability(name: str, bins: Sequence[Mapping[str, Any]], *, both: bool) -> Markup:
    filled = [row for row in bins if row["images"] and row["accuracy"] is not None]
    what = f"Reliability {name} calibration" if both else "Reliability"
    plot = line_plot(
        f"reliability-{name}",
        f"{what}: accuracy over confidence",
        [
            Line(
                "accuracy",
                [row["confidence"] for row in filled],
                [row["accuracy"] for row in filled],
            )
        ],
        x=Axis("mean confidence of the bin", UNIT),
        y=Axis("accuracy", UNIT),
        diagonal=True,
    )
    rows = [
        [
            f"{row['from']:.2f} to {row['to']:.2f}",
            str(row["images"]),
            number(row["confidence"]),
            number(row["accuracy"]),
        ]
        for row in bins
    ]
    numbers = table(what, ["confidence", "images", "mean confidence", "accuracy"], rows)
    caption = f"{what}. On the dashed line confidence is accuracy; below it is too sure."
    return figure(plot, caption, numbers)


def _abstaining(curves: Mapping[str, Any]) -> Markup:
    lines = [
        Line(
            name if len(curves) > 1 else "risk",
            [row["coverage"] for row in curve["risk_coverage"]],
            [row["risk"] for row in curve["risk_coverage"]],
        )
        for name, curve in curves.items()
    ]
    risk = line_plot(
        "risk-coverage",
        "Error rate over the share of images that get a label",
        lines,
        x=Axis("coverage, share of images with a label", UNIT),
        y=Axis("risk, share of them that is wrong", UNIT),
    )
    last = list(curves.values())[-1]
    rows = [
        [f"{row[name]:.4f}" for name in ("threshold", "coverage", "risk")]
        for row in last["risk_coverage"]
    ]
    drawn = [
        figure(
            risk,
            "Labels below a threshold are withheld: fewer images, fewer errors.",
            table("Risk by coverage", ["threshold", "coverage", "risk"], rows),
        )
    ]
    if last["precision_recall"]:
        drawn.append(_threshold_sweep(last))
    points = _operating_points(last["operating_points"])
    return section("abstaining", "Abstaining", figures(*drawn), points)


def _threshold_sweep(curve: Mapping[str, Any]) -> Markup:
    rows = sorted(curve["precision_recall"], key=lambda row: row["threshold"])
    xs = [row["threshold"] for row in rows]
    names = ("precision", "recall", "f1")
    lines = [Line(name, xs, [row[name] for row in rows]) for name in names]
    reached = [one for one in curve["operating_points"] if one["threshold"] is not None]
    if reached:
        thresholds = [one["threshold"] for one in reached]
        found = [one["precision"] for one in reached]
        lines.append(Line("operating points", thresholds, found, look="points"))
    plot = line_plot(
        "thresholds",
        "Precision, recall and F1 over the threshold on the confidence",
        lines,
        x=Axis("threshold on the confidence", UNIT),
        y=Axis("fraction", UNIT),
    )
    numbers = table(
        "Precision, recall and F1 by threshold",
        ["threshold", *names],
        [[f"{row[name]:.4f}" for name in ("threshold", *names)] for row in rows],
    )
    caption = "Precision of the labels that are given; recall of all labels that would be right."
    return figure(plot, caption, numbers)


def _operating_points(points: Sequence[Mapping[str, Any]]) -> Markup:
    if not points:
        return Markup("")
    rows = [
        [
            f"{point['target_precision']:g}",
            "not reached" if point["threshold"] is None else number(point["threshold"]),
            number(point["precision"]),
            number(point["coverage"]),
        ]
        for point in points
    ]
    header = ["precision of at least", "threshold", "precision", "coverage"]
    heading = element("h3", "Thresholds for a precision")
    return joined([heading, table("Thresholds for a precision", header, rows)])


def _sets(conformal: Mapping[str, Any] | None) -> Markup:
    """Return how often prediction sets hold the truth, and how large they are."""
    if not conformal:
        return Markup("")
    methods = conformal["methods"]
    rows = [
        [
            name.upper(),
            f"{found['coverage']:.4f}",
            f"{number(found['coverage_ci_low'])}..{number(found['coverage_ci_high'])}",
            f"{found['mean_size']:.2f}",
        ]
        for name, found in methods.items()
    ]
    drawn = [_sizes(name, found["sizes"][:_MOST_SIZES]) for name, found in methods.items()]
    promised = (
        f"Sets of labels that hold the true one in {1 - conformal['alpha']:.0%} of the cases, by "
        f"{conformal['calibration_images']} other images."
    )
    few = "" if conformal["enough_images"] else " Too few for the promise: every label is in."
    header = ["method", "coverage", "interval", "mean size"]
    return section(
        "sets",
        "Prediction sets",
        paragraph(promised, few),
        table("Coverage of prediction sets", header, rows),
        figures(*drawn),
    )


def _sizes(name: str, sizes: Sequence[Mapping[str, int]]) -> Markup:
    names = [str(row["size"]) for row in sizes]
    plot = bar_plot(
        f"set-sizes-{name}",
        f"Images by the size of their prediction set, {name.upper()}",
        [row["images"] for row in sizes],
        x=Axis("labels in the set", ticks=names),
        y=Axis("images"),
    )
    rows = [[str(row["size"]), str(row["images"])] for row in sizes]
    numbers = table(f"Sizes of sets, {name.upper()}", ["size", "images"], rows)
    return figure(plot, f"How large the sets of {name.upper()} are.", numbers)


def _unknown(unknown: Mapping[str, Any] | None) -> Markup:
    """Return how well each score tells known from unknown images."""
    if not unknown:
        return Markup("")
    rows = [
        [row["signal"], bar(row["auroc"]), f"{row['auroc']:.4f}", f"{row['fpr95']:.4f}"]
        for row in unknown["signals"]
    ]
    note = (
        f"{unknown['images']} images of none of the classes. AUROC: chance that a known image has "
        "the higher score; .5 is guessing. FPR95: unknown images that pass where 95 % of the known "
        "ones do."
    )
    header = ["score", "", "AUROC", "FPR95"]
    return section(
        "unknown", "Unknown images", paragraph(note), table("Unknown images", header, rows)
    )
