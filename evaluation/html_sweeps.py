"""Sweeps on a page: indexes by effort, probes by training images, prompt templates one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.html_markup import Markup, bar, figure, figures, joined, paragraph, section, table
from evaluation.markdown import number
from evaluation.plots import UNIT, Axis, Line, line_plot

_MOST_KINDS = 8
_MODALITIES = {"": "text", "image_": "image"}

_PARAMETERS = ("c", "weight", "alpha", "beta")
"""What heads of probes leave open."""


def sweep_sections(fields: Mapping[str, Any]) -> list[Markup]:
    """Return what was tried, with what it gained and what it cost."""
    sweep = fields.get("sweep") or []
    return [_probes(fields, sweep) if fields["kind"] == "probe" else _indexes(sweep)]


def _indexes(sweep: Sequence[Mapping[str, Any]]) -> Markup:
    """Return recall beside latency, a line a kind of index."""
    if not sweep:
        return Markup("")
    recall = next(name for name in sweep[0] if name.startswith("ann_recall@"))
    drawn = [
        _quality_and_latency(sweep, prefix, recall)
        for prefix in _MODALITIES
        if f"{prefix}{recall}" in sweep[0]
    ]
    header = [name for name in sweep[0] if not name.endswith(("ci_low", "ci_high"))]
    rows = [[_shown(row[name]) for name in header] for row in sweep]
    words = [name.replace("_", " ") for name in header]
    return section(
        "sweep",
        "Quality beside latency",
        figures(*drawn),
        table("Every index and effort", words, rows, texts=2),
    )


def _quality_and_latency(sweep: Sequence[Mapping[str, Any]], prefix: str, recall: str) -> Markup:
    kinds = list(dict.fromkeys(str(row["kind"]) for row in sweep))[:_MOST_KINDS]
    lines = []
    for kind in kinds:
        rows = [row for row in sweep if row["kind"] == kind]
        xs = [row[f"{prefix}p50_ms"] for row in rows]
        lines.append(Line(kind, xs, [row[f"{prefix}{recall}"] for row in rows]))
    least = min(min(line.ys) for line in lines)
    what = f"{_MODALITIES[prefix]} queries"
    plot = line_plot(
        f"{prefix.replace('_', '-')}quality-latency",
        f"{recall} over the median latency, {what}",
        lines,
        x=Axis("p50, ms", log=True),
        y=Axis(recall, (max(-0.02, least - 0.05), 1.02)),
    )
    columns = ["kind", "plan", f"{prefix}{recall}", *(f"{prefix}p{p}_ms" for p in (50, 95, 99))]
    between = [
        [
            *(_shown(row[name]) for name in columns),
            f"{number(row[f'{prefix}ci_low'])}..{number(row[f'{prefix}ci_high'])}",
        ]
        for row in sweep
    ]
    numbers = table(f"Recall and latency, {what}", [*columns, "interval"], between, texts=2)
    return figure(plot, f"Up and to the left is better; lines follow the effort, {what}.", numbers)


def _probes(fields: Mapping[str, Any], sweep: Sequence[Mapping[str, Any]]) -> Markup:
    """Return accuracy by the number of training images."""
    if not sweep:
        return Markup("")
    names = [str(row["shots"]) for row in sweep]
    line = Line(
        "accuracy",
        range(len(sweep)),
        [row["accuracy"] for row in sweep],
        errors=[row["sd"] or 0.0 for row in sweep],
    )
    plot = line_plot(
        "shots",
        "Accuracy over the training images per class",
        [line],
        x=Axis("training images per class", (-0.4, len(sweep) - 0.6), ticks=names),
        y=Axis("accuracy", UNIT),
    )
    rows = [
        [str(row["shots"]), str(row["draws"]), number(row["accuracy"]), number(row["sd"])]
        for row in sweep
    ]
    numbers = table("Accuracy by shots", ["shots", "draws", "accuracy", "sd"], rows)
    fits = [
        [
            str(fit["shots"]),
            str(fit["draw"]),
            ", ".join(f"{key} {fit[key]:.4g}" for key in _PARAMETERS if key in fit) or "-",
            number(fit["validation_accuracy"]),
            number(fit["accuracy"]),
        ]
        for fit in fields.get("probes") or []
    ]
    header = ["shots", "draw", "chosen", "accuracy on validation", "accuracy on the test"]
    caption = "Mean over the draws; a bar is a standard deviation to each side."
    return section(
        "shots-part",
        "Training images and accuracy",
        figures(figure(plot, caption, joined([numbers, table("Every probe", header, fits)]))),
    )


def template_section(fields: Mapping[str, Any]) -> Markup:
    """Return what each template is worth: alone, and what is lost without it."""
    found = fields.get("templates_alone") or []
    if not found:
        return Markup("")
    together = fields["metrics"]["accuracy"]["value"]
    ordered = sorted(found, key=lambda row: (-row["accuracy"], row["template"]))
    rows = [
        [
            row["template"],
            bar(row["accuracy"]),
            number(row["accuracy"]),
            number(row["accuracy_without"]),
            f"{together - row['accuracy_without']:+.4f}",
        ]
        for row in ordered
    ]
    header = ["template", "", "accuracy alone", "accuracy without it", "gain of having it"]
    note = f"All together: {together:.4f}. A gain below 0 is a template that does harm."
    return section(
        "templates-part", "Templates", paragraph(note), table("Templates", header, rows),
        _selected(fields.get("templates_selected")),
    )  # fmt: skip


def _selected(selected: Mapping[str, Any] | None) -> Markup:
    if not selected:
        return Markup("")
    rows = [[step["template"], number(step["validation"])] for step in selected["steps"]]
    note = f"Forward selection on the calibration images; here it has {selected['accuracy']:.4f}."
    header = ["template added", "accuracy on the calibration images"]
    return joined([paragraph(note), table("Forward selection", header, rows)])


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
