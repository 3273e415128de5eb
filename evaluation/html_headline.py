"""The top of a report's page: what was measured, the numbers that matter, then all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.html_markup import (
    Markup,
    bar,
    element,
    escape,
    folded,
    joined,
    paragraph,
    section,
    table,
)
from evaluation.markdown import interval_text, number

_HEADLINES = (
    "hit@1",
    "hit@5",
    "recall@10",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "ndcg@10",
    "accuracy",
    "accuracy_top5",
    "mean_per_class_recall",
    "macro_f1",
    "ece",
    "ece_calibrated",
    "nll",
    "ann_recall@10",
    "image_ann_recall@10",
    "latency_p50_ms",
    "latency_p95_ms",
)
_LEAST_CARDS = 4
_COUNTS = (
    ("queries", "queries"),
    ("queries_without_relevant", "queries with nothing relevant left out"),
    ("gallery", "items in the gallery"),
    ("images", "images"),
    ("labels", "classes"),
    ("train_images", "training images"),
)
_FRACTIONS = ("query", "image", "class", "draw")
_UNBOUNDED = ("nll", "brier")


def introduction(fields: Mapping[str, Any]) -> list[Markup]:
    """Return who was measured on how much, and how."""
    provenance, settings = fields["provenance"], fields["settings"]
    model = provenance.get("model") or provenance.get("encoder_id")
    counts = [
        f"{fields[name]} {what}"
        for name, what in _COUNTS
        if isinstance(fields.get(name), int) and (fields[name] or name == "queries")
    ]
    given = [
        f"{name.replace('_', ' ')}: {plain(value)}"
        for name, value in settings.items()
        if value not in (None, [], "")
    ]
    muted = {"class": "muted"}
    return [
        paragraph(f"Model {model}: " if model else "", ", ".join(counts)),
        element("p", ", ".join(given), attributes=muted) if given else Markup(""),
    ]


def headline(fields: Mapping[str, Any]) -> Markup:
    """Return a card for each number that matters."""
    metrics = fields["metrics"]
    names = [name for name in _HEADLINES if name in metrics]
    if len(names) < _LEAST_CARDS:
        names += [name for name in metrics if name not in names][: _LEAST_CARDS - len(names)]
    cards = element(
        "div", *(_card(name, metrics[name]) for name in names), attributes={"class": "cards"}
    )
    level = 100 * fields["statistics"]["level"]
    return section(
        "headline",
        "Headline",
        cards,
        paragraph(
            f"Means over units (macro), with intervals at {level:g} %. ",
            _detectable(fields, names),
        ),
        folded("All metrics", all_metrics(fields)),
    )


def all_metrics(fields: Mapping[str, Any]) -> Markup:
    """Return every metric with its interval and what it rests on."""
    differences = fields["statistics"].get("smallest_detectable_difference", {})
    rows = [
        [
            name,
            number(metric["value"], metric["unit"]),
            interval_text(metric),
            str(metric["n"]),
            str(metric["n_no_rel"]),
            metric["unit"],
            metric["method"],
            number(differences.get(name)),
        ]
        for name, metric in fields["metrics"].items()
    ]
    header = ["metric", "value", "interval", "n", "without relevant", "unit", "interval by"]
    return table("All metrics", [*header, "smallest detectable difference"], rows)


def plain(value: object) -> str:
    """Return a value of a setting or a fact in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _card(name: str, metric: Mapping[str, Any]) -> Markup:
    low, high = metric["ci_low"], metric["ci_high"]
    digits = 2 if metric["unit"] == "ms" else 3
    shown = "-" if metric["value"] is None else f"{metric['value']:.{digits}f}"
    between = "no interval" if low is None else f"{low:.{digits}f} to {high:.{digits}f}"
    has_bar = metric["unit"] in _FRACTIONS and not name.startswith(_UNBOUNDED)
    drawn = bar(metric["value"], low, high) if has_bar else Markup("")
    parts = joined(
        [
            element("p", _breakable(name), attributes={"class": "muted"}),
            element("p", shown, attributes={"class": "value"}),
            drawn,
            element("p", between, attributes={"class": "muted"}),
            element("p", f"n {metric['n']}", attributes={"class": "muted"}),
        ]
    )
    return element("div", parts, attributes={"class": "card"})


def _breakable(name: str) -> Markup:
    """Return a name that may be broken after an underscore."""
    return Markup(escape(name).replace("_", "_<wbr>"))


def _detectable(fields: Mapping[str, Any], names: list[str]) -> str:
    """Return the smallest difference that so many units can show."""
    differences = fields["statistics"].get("smallest_detectable_difference", {})
    name = next((name for name in names if differences.get(name)), None)
    if name is None:
        return ""
    return (
        f"The smallest detectable difference of {name} is {differences[name]:.4f}: "
        "smaller ones need more data, or a paired comparison (sightline evaluate compare)."
    )
