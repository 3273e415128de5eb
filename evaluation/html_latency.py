"""Times on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.html_markup import Markup, figure, figures, section, table
from evaluation.plots import Axis, Line, line_plot


def latency_section(
    histogram: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Mapping[str, Any]]],
    metrics: Mapping[str, Mapping[str, Any]],
) -> Markup:
    """Return how long requests took, by kind of query where there are several."""
    found = dict(histogram) if isinstance(histogram, Mapping) else {"": histogram}
    drawn = [_histogram(kind, bins) for kind, bins in found.items() if bins]
    if not drawn:
        return Markup("")
    rows = [
        [name, f"{metric['value']:.2f}", str(metric["n"])]
        for name, metric in metrics.items()
        if metric["unit"] == "ms" and metric["value"] is not None
    ]
    times = table("Percentiles", ["percentile", "ms", "requests"], rows)
    return section("latency", "Latency", times, figures(*drawn))


def _histogram(kind: str, bins: Sequence[Mapping[str, Any]]) -> Markup:
    edges = [bins[0]["from_ms"], *(row["to_ms"] for row in bins)]
    counts = [row["queries"] for row in bins]
    what = f"{kind} queries" if kind else "queries"
    plot = line_plot(
        f"latency-{kind}" if kind else "latency-plot",
        f"How many {what} took how long",
        [Line(what, edges, counts, look="stairs")],
        x=Axis("ms", log=True),
        y=Axis(what),
    )
    rows = [[f"{row['from_ms']:.4g}", f"{row['to_ms']:.4g}", str(row["queries"])] for row in bins]
    numbers = table(f"Times of {what}", ["from ms", "to ms", "queries"], rows)
    return figure(plot, f"Times of {what}; the axis is logarithmic.", numbers)
