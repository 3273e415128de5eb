"""Plots of reports: numbers to inline SVG, by matplotlib; the same numbers give the same bytes.

matplotlib is imported where it is used: it is the extra ``evaluation``. Words in plots are ours;
labels and captions of other people stand in tables, where nothing can clip or reinterpret them.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.errors import UsageError
from evaluation.html_markup import Markup
from evaluation.svg_cleaning import COLOURS, clean_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 5.0, 3.5
"""Inches of 72 units: text of 11 units stays readable on a phone."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
_MOST_MARKERS = 25
_LEGEND_COLUMNS = 3
_LETTERS_IN_A_ROW = 48
"""Words at an axis that take more room are tilted."""
_FEW_TICKS = 6.0
"""Over a smaller ratio a logarithmic axis names every digit."""
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sightline",
    "text.parse_math": False,
    "font.size": 11,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "grid.color": COLOURS["line"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "path.simplify": False,
}

Look = Literal["line", "points", "stairs"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or one set of points, of a plot."""

    name: str
    xs: Sequence[float]
    """Of ``stairs`` the edges of the steps, one more than there are steps."""
    ys: Sequence[float]
    look: Look = "line"
    errors: Sequence[float] | None = None
    """Half the length of the bar of each point."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What one direction of a plot shows."""

    label: str
    limits: tuple[float, float] | None = None
    """From and to; by default what the numbers need."""
    log: bool = False
    whole: bool = False
    """Only whole numbers have a tick."""
    ticks: Sequence[str] | None = None
    """Words at 0, 1, 2 ... instead of numbers."""


MATPLOTLIB_IS_MISSING = (
    "the page needs matplotlib for its plots: pip install 'sightline[evaluation]', then "
    "'sightline evaluate report FOLDER --out page.html'"
)
UNIT = (-0.02, 1.02)
"""Limits of a fraction, so that points on the edge are whole."""


def matplotlib_is_installed() -> bool:
    """Return whether plots can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def require_matplotlib() -> None:
    """Refuse to draw without matplotlib.

    Raises:
        UsageError: it is not installed.
    """
    if not matplotlib_is_installed():
        raise UsageError(MATPLOTLIB_IS_MISSING)


def line_plot(
    name: str, title: str, lines: Sequence[Line], *, x: Axis, y: Axis, diagonal: bool = False
) -> Markup:
    """Return lines and points over two axes.

    Args:
        name: of the plot, once in a page.
        title: what it shows, for people who do not see it.
        lines: at most eight; each has its colour, marker and dashes.
        x: to the right.
        y: upwards.
        diagonal: draw where both are equal.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with _style():
        drawing, axes = _axes(x, y, legend=len(lines))
        if x.log:
            _log_scale(axes, [value for line in lines for value in line.xs])
        if diagonal:
            axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, linestyle="--")
        for place, line in enumerate(lines):
            _draw(axes, line, place)
        if len(lines) > 1:
            drawing.legend(
                loc="upper center",
                ncols=min(_LEGEND_COLUMNS, len(lines)),
                fontsize=10,
                borderaxespad=0.2,
                handlelength=2.2,
                columnspacing=1.2,
            )
        return _svg(drawing, name, title)


def bar_plot(name: str, title: str, counts: Sequence[float], *, x: Axis, y: Axis) -> Markup:
    """Return a bar for each word of ``x.ticks``, with its number on it.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with _style():
        drawing, axes = _axes(x, y, legend=0)
        bars = axes.bar(range(len(counts)), counts, color=COLOURS["series-1"], width=0.8)
        axes.bar_label(bars, [f"{count:g}" for count in counts], fontsize=9, padding=2)
        axes.margins(y=0.12)
        return _svg(drawing, name, title)


@contextmanager
def _style() -> Iterator[None]:
    """Draw in the page's style, whatever style the user has set up for matplotlib."""
    require_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _axes(x: Axis, y: Axis, *, legend: int) -> tuple[Figure, Axes]:
    """Return an empty plot; its margins are fixed, so plots of a page are in line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = math.ceil(legend / _LEGEND_COLUMNS) if legend > 1 else 0
    words = list(x.ticks or [])
    tilted = len(words) * max(map(len, words), default=0) > _LETTERS_IN_A_ROW
    bottom = 0.24 if tilted else 0.15
    drawing = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = drawing.add_axes((0.14, bottom, 0.84, 0.96 - bottom - 0.065 * rows))
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    axes.grid(visible=True, axis="both" if x.ticks is None else "y", linewidth=0.7)
    if x.whole:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10], integer=True))
    if x.limits:
        axes.set_xlim(*x.limits)
    if y.limits:
        axes.set_ylim(*y.limits)
    if words:
        axes.set_xticks(range(len(words)), words, fontsize=9)
    if tilted:
        for label in axes.get_xticklabels():
            label.set(rotation=40, horizontalalignment="right", rotation_mode="anchor")
    return drawing, axes


def _log_scale(axes: Axes, xs: Sequence[float]) -> None:
    """Make x logarithmic, its numbers written out."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    few = min(xs) > 0 and max(xs) / min(xs) < _FEW_TICKS
    digits = tuple(map(float, range(1, 10))) if few else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=digits))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw(axes: Axes, line: Line, place: int) -> None:
    colour = COLOURS[f"series-{place % 8 + 1}"]
    marker = _MARKERS[place % len(_MARKERS)]
    if line.look == "stairs":
        axes.stairs(line.ys, line.xs, fill=True, color=colour, label=line.name)
        return
    if line.look == "points":
        (points,) = axes.plot(line.xs, line.ys, color=colour, label=line.name, linestyle="")
        points.set(marker=marker, markersize=7, clip_on=False)
        return
    if line.errors is not None:
        axes.errorbar(line.xs, line.ys, line.errors, fmt="none", ecolor=colour, capsize=3)
    axes.plot(
        line.xs,
        line.ys,
        color=colour,
        linewidth=1.8,
        linestyle=_DASHES[place % len(_DASHES)],
        marker=marker if len(line.xs) <= _MOST_MARKERS else "",
        markersize=5,
        label=line.name,
    )


def _svg(drawing: Figure, name: str, title: str) -> Markup:
    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawing.savefig(text, format="svg", transparent=True, metadata=nothing)
    return clean_svg(text.getvalue(), name=name, title=title)
