"""Retrieval and scored runs on a page: rank lists, curves, thresholds, losses of the index."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.html_latency import latency_section
from evaluation.html_markup import (
    Markup,
    element,
    figure,
    figures,
    joined,
    paragraph,
    scrolling,
    section,
    table,
)
from evaluation.markdown import interval_text, number
from evaluation.plots import UNIT, Axis, Line, bar_plot, line_plot

_MOST_RANKS = 50
_MOST_POINTS = 200
_FRACTION = Axis("fraction", UNIT)
_SHOWN = ("precision", "recall", "hit")
_TARGETS = (0.9, 0.8, 0.5)
_LOST = ("hit@", "recall@", "ndcg@")
"""Of these 1 can be reached, so what lacks is lost."""
_NO_RANK = 10**9
"""The last bin ends at the largest integer."""


def retrieval_sections(fields: Mapping[str, Any]) -> list[Markup]:
    """Return what a page says of rankings; parts that the report lacks are empty."""
    return [
        _by_rank(fields.get("curve") or [], fields.get("first_rank_histogram") or []),
        _precision_recall(fields),
        _losses(fields),
        latency_section(fields.get("search", {}).get("latency_histogram") or [], fields["metrics"]),
    ]


def rank_lists(curve: Sequence[Mapping[str, Any]]) -> Markup:
    """Return precision, recall and hit as lists over the ranks, k from left to right."""
    shown = curve[:_MOST_RANKS]
    head = element("tr", _head("k", "col"), *(_head(str(row["k"]), "col") for row in shown))
    body = [
        element("tr", _head(name, "row"), *(element("td", f"{row[name]:.2f}") for row in shown))
        for name in _SHOWN
    ]
    lists = element(
        "table",
        element("thead", head),
        element("tbody", *body),
        attributes={"class": "ranks number"},
    )
    return scrolling("Precision, recall and hit at every rank", lists)


def _by_rank(curve: Sequence[Mapping[str, Any]], histogram: Sequence[Mapping[str, Any]]) -> Markup:
    if not curve:
        return Markup("")
    shown = _thinned(curve)
    ks = [row["k"] for row in shown]
    plot = line_plot(
        "by-rank",
        "Mean precision, recall and hit over the rank k",
        [Line(name, ks, [row[name] for row in shown]) for name in _SHOWN],
        x=Axis("k, items that are looked at", whole=True),
        y=_FRACTION,
    )
    numbers = table(
        "Mean precision, recall and hit by k",
        ["k", *_SHOWN],
        [[str(row["k"]), *(f"{row[name]:.4f}" for name in _SHOWN)] for row in shown],
    )
    return section(
        "ranks",
        "Precision and recall by rank",
        rank_lists(curve),
        figures(
            figure(
                plot,
                "The longer the list, the more is found, and the less of it is right.",
                numbers,
            ),
            _first_ranks(histogram),
        ),
    )


def _thinned(curve: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return no more rows than a plot can show, the first and the last among them."""
    step = math.ceil(len(curve) / _MOST_POINTS)
    kept = curve[::step]
    return kept if kept[-1] is curve[-1] else [*kept, curve[-1]]


def _precision_recall(fields: Mapping[str, Any]) -> Markup:
    envelope, pooled = fields.get("precision_recall") or [], fields.get("score_thresholds") or []
    whole = fields["metrics"].get("mean_average_precision", {}).get("value")
    parts = [_envelope(envelope, whole)] if envelope else []
    if pooled:
        parts.append(_thresholds(pooled))
    return section("precision-recall", "Precision and recall", figures(*parts) if parts else "")


def _envelope(envelope: Sequence[Mapping[str, float]], whole: float | None) -> Markup:
    """Return the interpolated curve, with the mean average precision where it is known."""
    line = Line(
        "interpolated precision",
        [row["recall"] for row in envelope],
        [row["precision"] for row in envelope],
    )
    plot = line_plot(
        "precision-recall-curve",
        "Mean interpolated precision over recall",
        [line],
        x=Axis("recall", UNIT),
        y=Axis("precision", UNIT),
    )
    numbers = table(
        "Interpolated precision by recall",
        ["recall", "precision"],
        [[f"{row['recall']:.1f}", f"{row['precision']:.4f}"] for row in envelope],
    )
    caption = "Mean over queries of the best precision at this recall or more (11 points)."
    if whole is not None:
        caption += f" Mean average precision {whole:.4f}."
    return figure(plot, caption, numbers)


def _thresholds(pooled: Sequence[Mapping[str, float]]) -> Markup:
    """Return what a threshold on the score does, all queries pooled."""
    points = operating_points(pooled)
    reached = [(one["recall"], one["precision"]) for one in points if one["recall"] is not None]
    lines = [
        Line("by score", [row["recall"] for row in pooled], [row["precision"] for row in pooled])
    ]
    if reached:
        recalls, precisions = zip(*reached, strict=True)
        lines.append(Line("operating points", recalls, precisions, look="points"))
    plot = line_plot(
        "score-thresholds",
        "Precision over recall as the score threshold falls, with operating points",
        lines,
        x=Axis("recall", UNIT),
        y=Axis("precision", UNIT),
    )
    columns = ("threshold", "precision", "recall")
    numbers = joined(
        [
            table(
                "Operating points",
                ["precision of at least", *columns],
                [
                    [f"{one['target_precision']:g}", *(number(one[name]) for name in columns)]
                    for one in points
                ],
            ),
            table(
                "Precision and recall by score",
                columns,
                [[f"{row[name]:.4f}" for name in columns] for row in pooled],
            ),
        ]
    )
    caption = "Only hits at or above a score are shown; the heads of all lists pooled."
    return figure(plot, caption, numbers)


def operating_points(pooled: Sequence[Mapping[str, float]]) -> list[dict[str, float | None]]:
    """Return the point with most recall for each target precision; ``None`` if none reaches it."""
    points: list[dict[str, float | None]] = []
    for target in _TARGETS:
        good = [row for row in pooled if row["precision"] >= target]
        best = max(good, key=lambda row: row["recall"], default=None)
        found = dict.fromkeys(("threshold", "precision", "recall")) if best is None else dict(best)
        points.append({"target_precision": target, **found})
    return points


def _first_ranks(histogram: Sequence[Mapping[str, Any]]) -> Markup:
    if not histogram:
        return Markup("")
    names = [_ranks(row) for row in histogram]
    counts = [row["queries"] for row in histogram]
    plot = bar_plot(
        "first-ranks",
        "Queries by the rank of their first relevant item",
        counts,
        x=Axis("rank of the first relevant item", ticks=names),
        y=Axis("queries"),
    )
    rows = [[name, str(count)] for name, count in zip(names, counts, strict=True)]
    numbers = table("Queries by the rank of the first relevant item", ["rank", "queries"], rows)
    caption = "The further right, the longer people have to look."
    return figure(plot, caption, numbers)


def _ranks(row: Mapping[str, Any]) -> str:
    start, end = row["from"], row["to"]
    if start is None:
        return "missed"
    if start == end:
        return str(start)
    return f"{start} on" if end > _NO_RANK else f"{start}-{end}"


def _losses(fields: Mapping[str, Any]) -> Markup:
    """Return what the index loses beside what the model loses."""
    search = fields.get("search")
    if not search:
        return Markup("")
    plans = ", ".join(f"{count} by {plan}" for plan, count in search["plans"].items())
    parts = [paragraph(f"{search['name']}: {plans}")]
    exact, loss = fields.get("exact_metrics"), fields.get("index_loss")
    if exact and loss:
        rows = [
            [
                name,
                number(exact[name]["value"]),
                number(fields["metrics"][name]["value"]),
                number(None if exact[name]["value"] is None else 1 - exact[name]["value"]),
                number(metric["value"]),
                interval_text(metric),
            ]
            for name, metric in loss.items()
            if name.startswith(_LOST)
        ]
        header = ["metric", "exact", "served", "lost by the model", "lost by the index", "interval"]
        rest = len(loss) - len(rows)
        parts.append(table("What the model and the index lose", header, rows))
        parts.append(paragraph(f"{rest} more metrics in metrics.json.") if rest else Markup(""))
    return section("index", "Model loss and index loss", *parts)


def _head(text: str, scope: str) -> Markup:
    return element("th", text, attributes={"scope": scope})
