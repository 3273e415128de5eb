"""Tables of ``sightline evaluate``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cli.evaluation_options import Output
from cli.output import note, print_json, print_lines, print_table

if TYPE_CHECKING:
    from evaluation.estimates import Metric
    from evaluation.report import Report

_AT_K = re.compile(r"(.+)@(\d+)")
_SHOWN_AT_K = ("precision", "recall", "hit", "ndcg", "ann_recall")
_SHOWN = (
    ("mean_average_precision", "mean average precision"),
    ("mean_reciprocal_rank", "mean reciprocal rank"),
    ("mean_r_precision", "mean R-precision"),
    ("accuracy", "accuracy"),
    ("accuracy_top5", "accuracy top 5"),
    ("coverage", "coverage: images with a label"),
    ("answered_accuracy", "accuracy of the labels given"),
    ("selective_risk", "selective risk"),
    ("mean_per_class_recall", "mean per-class recall"),
    ("macro_f1", "macro F1"),
    ("ece", "calibration error (ECE)"),
    ("ece_calibrated", "ECE at the fitted temperature"),
    ("nll", "log-loss (NLL)"),
    ("nll_calibrated", "NLL at the fitted temperature"),
    ("aurc", "area under risk-coverage"),
    ("latency_p50_ms", "latency p50, ms"),
    ("latency_p95_ms", "latency p95, ms"),
    ("latency_p99_ms", "latency p99, ms"),
)
_HEADLINES = ("hit@1", "accuracy", "mean_reciprocal_rank", "ann_recall@10")
_MOST_SLICES = 30


def finish(report: Report, output: Output) -> None:
    """Write the report where it was asked for, and print it as JSON or as tables."""
    from evaluation.report import report_json, write_report

    if output.out is not None:
        write_report(report, output.out)
        note(f"report written to {output.out}")
    if output.as_json:
        print_json(report_json(report))
    else:
        show_report(report)


def show_report(report: Report) -> None:
    """Print metrics with their intervals; what was left out goes to stderr."""
    _notes(report)
    if report.kind == "classify":
        _show_classes(report.details)
    _show_cut_offs(report.metrics)
    _show_metrics(report.metrics)
    _show_losses(report.details)
    _show_slices(report)
    _show_detectable(report)


def with_interval(metric: Metric) -> str:
    """Return a value with the bounds of its interval, or a dash."""
    if metric.value is None:
        return "-"
    digits = 2 if metric.unit == "ms" else 4
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:.{digits}f}"
    return f"{metric.value:.{digits}f} ({metric.ci_low:.{digits}f}..{metric.ci_high:.{digits}f})"


def _notes(report: Report) -> None:
    details: Mapping[str, Any] = report.details
    model = report.provenance.model or report.provenance.encoder_id
    parts = [
        f"{details[name]} {what}"
        for name, what in (
            ("queries", "queries"),
            ("gallery", "in the gallery"),
            ("images", "images"),
            ("labels", "classes"),
        )
        if isinstance(details.get(name), int)
    ]
    parts += [f"{name} {value}" for name, value in _settings(report)]
    note(", ".join([*parts, *([f"model {model}"] if model else [])]))
    if details.get("queries_without_relevant"):
        note(f"{details['queries_without_relevant']} queries have nothing relevant: left out")
    if details.get("k_effective") and max(details["k_requested"]) > max(details["k_effective"]):
        note(f"k is capped at {max(details['k_effective'])}, the size of the gallery")
    data = details.get("data", {})
    others = sum(data.get("pairs_with_other_labels", {}).values())
    if report.kind == "classify" and details["images"] < data.get("pairs", 0):
        note(
            f"{data['pairs'] - details['images']} pairs are left out: "
            f"{data['pairs_without_label']} without a label, {others} with another label, "
            f"{len(data['failed_images'])} images not decoded"
        )


def _settings(report: Report) -> list[tuple[str, str]]:
    names = {"direction": "direction", "template_set": "templates", "relevance": "relevance"}
    return [
        (shown, str(report.settings[name]))
        for name, shown in names.items()
        if report.settings.get(name)
    ]


def _show_cut_offs(metrics: Mapping[str, Metric]) -> None:
    at_k: dict[int, dict[str, Metric]] = {}
    for name, metric in metrics.items():
        match = _AT_K.fullmatch(name)
        if match and match[1] in _SHOWN_AT_K:
            at_k.setdefault(int(match[2]), {})[match[1]] = metric
    columns = [name for name in _SHOWN_AT_K if any(name in row for row in at_k.values())]
    if at_k:
        print_table(
            ["k", *columns],
            [
                [str(k), *(with_interval(row[name]) if name in row else "-" for name in columns)]
                for k, row in sorted(at_k.items())
            ],
        )
        print_lines([""])


def _show_metrics(metrics: Mapping[str, Metric]) -> None:
    shown = [(what, metrics[name]) for name, what in _SHOWN if name in metrics]
    width = max((len(what) for what, _ in shown), default=0)
    print_lines([f"{what:<{width}}  {with_interval(metric)}" for what, metric in shown])


def _show_classes(details: Mapping[str, Any]) -> None:
    rows = [row for row in details["per_class"] if row["images"] or row["predicted"]]
    print_table(
        ["class", "images", "precision", "recall", "F1"],
        [
            [row["label"], str(row["images"]), *_two_decimals(row, ("precision", "recall", "f1"))]
            for row in rows
        ],
    )
    print_lines([""])


def _show_losses(details: Mapping[str, Any]) -> None:
    """Print what the model loses and what the index loses on top of it."""
    loss = details.get("index_loss")
    if not loss:
        return
    exact = details["exact_metrics"]
    names = [name for name in loss if name.startswith(("hit@", "recall@"))]
    print_lines([""])
    print_table(
        ["metric", "exact search", "lost by the model", "lost by the index"],
        [
            [
                name,
                f"{exact[name]['value']:.4f}",
                f"{1 - exact[name]['value']:.4f}",
                f"{loss[name]['value']:.4f}",
            ]
            for name in names
        ],
    )


def _show_slices(report: Report) -> None:
    if not report.slices:
        return
    first = next(iter(report.slices.values()))
    names = [name for name in (*_HEADLINES, "recall@10", "nll") if name in first][:3]
    print_lines([""])
    print_table(
        [str(report.settings.get("group_by")), "n", *names],
        [
            [group, str(metrics[names[0]].n), *(with_interval(metrics[name]) for name in names)]
            for group, metrics in list(report.slices.items())[:_MOST_SLICES]
        ],
    )


def _show_detectable(report: Report) -> None:
    name = next((name for name in _HEADLINES if report.detectable.get(name)), None)
    if name is not None:
        level = 100 * report.statistics.level
        print_lines(
            [
                "",
                (
                    f"smallest detectable difference of {name} at {level:g} %: "
                    f"{report.detectable[name]:.4f}"
                ),
            ]
        )


def _two_decimals(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return ["-" if row[name] is None else f"{row[name]:.2f}" for name in names]
