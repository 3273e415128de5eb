"""Rules of evaluation.plots and evaluation.svg_cleaning: plots that belong into a page."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from evaluation.plots import UNIT, Axis, Line, bar_plot, line_plot

LINES = [Line(f"line {place}", [0.0, 0.5, 1.0], [0.1 * place, 0.5, 0.9]) for place in range(8)]


def curves(name: str = "curves") -> str:
    """Draw eight lines."""
    x, y = Axis("x of $2 & <b>", UNIT), Axis("y", UNIT)
    return line_plot(name, "Eight <lines>", LINES, x=x, y=y, diagonal=True)


def test_the_same_numbers_are_the_same_bytes() -> None:
    """Also with another style in the user's matplotlib, which stays as it was."""
    first = curves()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None}):
        second = curves()
        assert mpl.rcParams["font.size"] == 30

    assert first == second


def test_a_plot_takes_its_colours_from_the_page() -> None:
    """No colour and no style of its own: classes, so that it is right in light and in dark."""
    root = ET.fromstring(curves())
    classes = {name for one in root.iter() for name in one.get("class", "").split()}

    assert {f"stroke-series-{place}" for place in range(1, 9)} <= classes
    assert {"fill-ink", "stroke-line", "stroke-muted"} <= classes
    painted = {one.get(key) for one in root.iter() for key in ("fill", "stroke")}
    assert painted <= {None, "none"}
    assert not any("style" in one.attrib for one in root.iter())


def test_a_plot_says_what_it_shows() -> None:
    """A title and a label for people who do not see it; words stay words, and nothing is math."""
    root = ET.fromstring(curves())

    assert (root.get("role"), root.get("aria-label")) == ("img", "Eight <lines>")
    assert root[0].tag == "title"
    assert "x of $2 & <b>" in [one.text for one in root.iter("text")]
    assert root.get("viewBox") == "0 0 360 252"
    assert root.get("width") is None


def test_two_plots_share_no_id() -> None:
    """Each finds its own markers, though both are in one page."""
    ids = []
    for name in ("first", "second"):
        root = ET.fromstring(curves(name))
        own = {one.get("id") for one in root.iter() if one.get("id")}
        used = {one.get("href", "").removeprefix("#") for one in root.iter("use")}
        assert used <= own
        ids += sorted(filter(None, own))

    assert len(ids) == len(set(ids))


def test_many_words_at_an_axis_are_tilted() -> None:
    """They would cover each other."""

    def tilts(words: list[str]) -> list[bool]:
        plot = bar_plot("bars", "Bars", [1] * len(words), x=Axis("x", ticks=words), y=Axis("y"))
        root = ET.fromstring(plot)
        found = [one for one in root.iter("text") if one.text in words and one.text != "1"]
        return ["rotate(-40" in one.get("transform", "") for one in found]

    assert tilts(["a", "b"]) == [False, False]
    assert tilts([f"100{place}-200" for place in range(9)]) == [True] * 9


@pytest.mark.parametrize("times", [[0.06, 0.1], [0.5, 40.0], [3.0, 3.0]])
def test_a_logarithmic_axis_names_numbers(times: list[float]) -> None:
    """Less than a decade, several, and one point: there is something to read off."""
    plot = line_plot(
        "log", "Log", [Line("one", times, [0.5, 1.0])], x=Axis("ms", log=True), y=Axis("y", UNIT)
    )
    root = ET.fromstring(plot)
    texts = [one.text or "" for one in root.iter("text")]
    numbers = [float(text) for text in texts[: texts.index("ms")]]

    assert numbers


def test_steps_and_points_are_drawn() -> None:
    """A histogram over its edges, points on top of it, bars of errors."""
    lines = [
        Line("counts", [1.0, 2.0, 4.0], [3, 1], look="stairs"),
        Line("points", [1.5], [2.0], look="points"),
        Line("mean", [1.0, 2.0], [1.0, 2.0], errors=[0.1, 0.0]),
    ]

    root = ET.fromstring(line_plot("mixed", "Mixed", lines, x=Axis("x"), y=Axis("y")))
    classes = {name for one in root.iter() for name in one.get("class", "").split()}

    assert {"fill-series-1", "fill-series-2", "stroke-series-3"} <= classes
