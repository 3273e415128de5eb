"""``report.md``: what ``metrics.json`` says, as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.types import JSONObject

_MOST_FAILURES = 20
_MOST_CLASSES = 60
_RANK_LISTS = 20


def markdown_report(content: JSONObject) -> str:
    """Return the Markdown of a report, from what its ``metrics.json`` holds."""
    fields: dict[str, Any] = dict(content)
    parts = [
        f"# Evaluation: {fields['kind']}",
        _headline(fields),
        "## Metrics",
        _metrics(fields["metrics"], fields["statistics"]),
        *_search(fields),
        *_curve(fields.get("curve") or []),
        *_classes(fields.get("per_class") or []),
        *_templates(fields.get("templates_alone") or []),
        *_sweep(fields.get("sweep") or []),
        *_slices(fields),
        *_data(fields.get("data") or {}),
        "## Provenance",
        _provenance(fields),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def interval_text(metric: Mapping[str, Any]) -> str:
    """Return ``low..high`` of a metric in JSON, or a dash."""
    if metric["ci_low"] is None or metric["ci_high"] is None:
        return "-"
    return (
        f"{number(metric['ci_low'], metric['unit'])}..{number(metric['ci_high'], metric['unit'])}"
    )


def number(value: float | None, unit: str = "") -> str:
    """Return a value with as many digits as it is worth, a dash for one that is not defined."""
    if value is None:
        return "-"
    return f"{value:.2f}" if unit == "ms" else f"{value:.4f}"


def _headline(fields: Mapping[str, Any]) -> str:
    settings = ", ".join(
        f"{name} {_plain(value)}"
        for name, value in fields["settings"].items()
        if value not in (None, [], "")
    )
    counts = ", ".join(
        f"{fields[name]} {name.replace('_', ' ')}"
        for name in ("queries", "queries_without_relevant", "gallery", "images", "labels")
        if isinstance(fields.get(name), int)
    )
    level = 100 * fields["statistics"]["level"]
    return f"{settings}\n\n{counts}. Macro means over units; intervals at {level:g} %.".strip()


def _metrics(metrics: Mapping[str, Any], statistics: Mapping[str, Any]) -> str:
    differences = statistics.get("smallest_detectable_difference", {})
    rows = [
        [
            name,
            number(metric["value"], metric["unit"]),
            interval_text(metric),
            str(metric["n"]),
            number(differences.get(name)),
        ]
        for name, metric in metrics.items()
    ]
    return _table(["metric", "value", "interval", "n", "smallest detectable difference"], rows)


def _search(fields: Mapping[str, Any]) -> list[str]:
    search = fields.get("search")
    if not search:
        return []
    plans = ", ".join(f"{count} by {plan}" for plan, count in search["plans"].items())
    parts = ["## Search", f"{search['name']}: {plans}"]
    exact, loss = fields.get("exact_metrics"), fields.get("index_loss")
    if exact and loss:
        rows = [
            [
                name,
                number(exact[name]["value"]),
                number(fields["metrics"][name]["value"]),
                number(metric["value"]),
                interval_text(metric),
            ]
            for name, metric in loss.items()
        ]
        header = ["metric", "exact", "served", "lost by the index", "interval"]
        parts += ["What 1 lacks to the exact value is the model's loss.", _table(header, rows)]
    return parts


def _curve(curve: Sequence[Mapping[str, Any]]) -> list[str]:
    if not curve:
        return []
    rows = [
        [str(row["k"]), *(f"{row[name]:.4f}" for name in ("precision", "recall", "hit"))]
        for row in curve[:_RANK_LISTS]
    ]
    return ["## By rank", _table(["k", "precision", "recall", "hit"], rows)]


def _classes(classes: Sequence[Mapping[str, Any]]) -> list[str]:
    if not classes:
        return []
    rows = [
        [
            _cell(row["label"]),
            str(row["images"]),
            *(number(row[name]) for name in ("precision", "recall", "f1")),
        ]
        for row in classes[:_MOST_CLASSES]
    ]
    more = len(classes) - len(rows)
    return [
        "## By class",
        _table(["class", "images", "precision", "recall", "F1"], rows),
        f"{more} more in per_class.csv" if more > 0 else "",
    ]


def _templates(templates: Sequence[Mapping[str, Any]]) -> list[str]:
    if not templates:
        return []
    rows = [
        [_cell(row["template"]), number(row["accuracy"]), number(row["accuracy_without"])]
        for row in templates
    ]
    return ["## By template", _table(["template", "accuracy alone", "accuracy without it"], rows)]


def _sweep(sweep: Sequence[Mapping[str, Any]]) -> list[str]:
    if not sweep:
        return []
    header = [name for name in sweep[0] if not isinstance(sweep[0][name], dict | list)]
    rows = [
        [
            f"{row[name]:.4g}" if isinstance(row[name], float) else _cell(str(row[name]))
            for name in header
        ]
        for row in sweep
    ]
    return ["## Sweep", _table(header, rows)]


def _slices(fields: Mapping[str, Any]) -> list[str]:
    slices = fields.get("slices") or {}
    if not slices:
        return []
    names = [name for name in fields["per_query_metrics"] if name in fields["metrics"]][:4]
    rows = [
        [
            _cell(group),
            str(max(metrics[name]["n"] for name in names)),
            *(
                f"{number(metrics[name]['value'])} ({interval_text(metrics[name])})"
                for name in names
            ),
        ]
        for group, metrics in slices.items()
    ]
    return [f"## By {fields['settings'].get('group_by')}", _table(["value", "n", *names], rows)]


def _data(data: Mapping[str, Any]) -> list[str]:
    if not data:
        return []
    failed, skipped = data.get("failed_images", []), data.get("skipped", [])
    counts = [
        f"{value} {name.replace('_', ' ')}"
        for name, value in data.items()
        if isinstance(value, int)
    ]
    counts += [f"{len(failed)} images not decoded", f"{len(skipped)} places skipped"]
    lines = [f"- {_cell(item['image'])}: {_cell(item['message'])}" for item in failed]
    lines += [f"- {_cell(item['place'])}: {_cell(item['reason'])}" for item in skipped]
    if len(lines) > _MOST_FAILURES:
        lines = [*lines[:_MOST_FAILURES], f"- ... and {len(lines) - _MOST_FAILURES} more"]
    return ["## Data", ", ".join(counts), "\n".join(lines)]


def _provenance(fields: Mapping[str, Any]) -> str:
    rows = [
        [name, _cell(_plain(value))]
        for name, value in fields["provenance"].items()
        if value not in (None, {})
    ]
    rows += [
        [f"{name} digest", digest]
        for name, digest in fields["comparable"].items()
        if digest is not None
    ]
    return _table(["", ""], rows)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _cell(text: str) -> str:
    """Return a text that cannot end a cell or a line."""
    return " ".join(text.replace("|", "\\|").split())


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join('---' for _ in header)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
