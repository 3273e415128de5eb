"""Lines of the table of ``make bench``: ratios by hand, who wins, what is said where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench_rows import Row, as_json, from_json, line, short, tally, verdict, write_rows

QUICKER = Row(
    "embedding",
    "one JPEG",
    unit="ms",
    better="less",
    ours=(10.0, 20.0, 25.0),
    beside="a peer",
    theirs=(40.0, 60.0, 50.0),
    aim=2.5,
)


def test_of_milliseconds_the_ratio_is_theirs_over_ours_in_each_round() -> None:
    """40/10, 60/20 and 50/25, of which 3 is the median: rounds are never mixed."""
    assert QUICKER.ratios() == (4.0, 3.0, 2.0)
    assert QUICKER.ratio == 3.0


def test_of_rates_the_ratio_is_ours_over_theirs() -> None:
    """Above 1 ours is ahead, whatever the unit."""
    assert Row("p", "w", better="more", ours=(30.0,), theirs=(10.0,)).ratio == 3.0


def test_one_number_of_theirs_is_held_against_every_round() -> None:
    """A limit that is known once."""
    assert Row("p", "w", ours=(3.0, 5.0), theirs=(2.0,)).ratios() == (1.5, 2.5)


def test_rounds_that_do_not_pair_are_an_error() -> None:
    """A round that one side missed would shift all later ones."""
    with pytest.raises(ValueError, match="shorter"):
        Row("p", "w", ours=(1.0, 2.0, 3.0), theirs=(1.0, 2.0)).ratios()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (QUICKER, "won, aim met"),
        (replace(QUICKER, aim=3.1), "won, aim missed"),
        (replace(QUICKER, aim=None), "won"),
        (replace(QUICKER, theirs=(4.0, 6.0, 5.0)), "lost, aim missed"),
        (replace(QUICKER, aim=None, theirs=(9.0, 21.0, 26.0)), "even"),
        (Row("p", "w", reason="not measured: no peer"), "not measured: no peer"),
        (Row("p", "w", beside="this machine", theirs=(3.0,)), "for information"),
        (Row("p", "w", ours=(8.5,), theirs=(10.0,), aim=0.8, is_limit=True), "aim met"),
        (Row("p", "w", ours=(7.5,), theirs=(10.0,), aim=0.8, is_limit=True), "aim missed"),
        (Row("p", "w", ours=(5.9,), theirs=(5.0,), most_apart=1.0), "aim met"),
        (Row("p", "w", ours=(6.1,), theirs=(5.0,), most_apart=1.0), "aim missed"),
    ],
)
def test_a_line_says_who_wins_and_whether_the_aim_is_met(row: Row, words: str) -> None:
    """Nobody wins against a limit; where rounds disagree it is even."""
    assert verdict(row) == words


def test_a_line_has_medians_with_least_and_greatest() -> None:
    """All a reader needs, in one line of Markdown."""
    assert line(QUICKER) == (
        "| embedding | one JPEG | 20.0 ms (10.0-25.0) | a peer: 50.0 ms (40.0-60.0) "
        "| 3.00 (2.00-4.00) | 2.5 | won, aim met |"
    )


def test_a_share_of_a_limit_is_in_per_cent() -> None:
    """8.5 of 10, asked for were 80 %."""
    row = Row("p", "tower", ours=(8.5,), beside="limit", theirs=(10.0,), aim=0.8, is_limit=True)

    assert line(row) == "| p | tower | 8.50 | limit: 10.0 | 85.0 % | 80 % | aim met |"


def test_a_difference_is_in_the_unit() -> None:
    """6.1 ms where the model alone takes 5.0 and 1 more was allowed."""
    row = Row("p", "search", unit="ms", ours=(6.1,), beside="model", theirs=(5.0,), most_apart=1.0)

    assert line(row) == "| p | search | 6.10 ms | model: 5.00 ms | +1.10 ms | +1 ms | aim missed |"


def test_a_cosine_stands_beside_the_least_that_was_asked_for() -> None:
    """What the vectors are compared with has no cosine of its own."""
    row = Row(
        "p",
        "w",
        unit="cosine",
        ours=(0.9995,),
        beside="peer",
        theirs=(0.999,),
        aim=1,
        is_limit=True,
    )

    assert line(row) == "| p | w | 0.99950 cosine | peer |  | 0.99900 | aim met |"


def test_a_reason_cannot_break_the_table() -> None:
    """What a program said may hold the sign that divides cells."""
    row = Row("p", "w", reason="failed: a | b")

    assert line(row) == "| p | w |  |  |  |  | failed: a / b |"


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (1616.4, "", "1616"),
        (99.96, "", "100.0"),
        (42.25, "ms", "42.2"),
        (0.123, "s", "0.12"),
        (0.99993, "cosine", "0.99993"),
    ],
)
def test_numbers_are_short(number: float, unit: str, shown: str) -> None:
    """Three digits count; of a cosine the distance to 1."""
    assert short(number, unit) == shown


def test_the_tally_counts_lines_and_aims() -> None:
    """Two won of which one met its aim, one lost, one not measured."""
    rows = [
        QUICKER,
        replace(QUICKER, aim=3.1),
        replace(QUICKER, aim=None, theirs=(4.0, 6.0, 5.0)),
        Row("p", "w", reason="failed: no"),
    ]

    assert tally(rows) == "2 won, 0 even, 1 lost; 1 of 2 aims met; 1 not measured"


def test_a_row_comes_back_from_json(tmp_path: Path) -> None:
    """The file holds what was measured and what follows from it."""
    write_rows(tmp_path / "new" / "results.json", [QUICKER], about={"written": "now"})
    read = json.loads((tmp_path / "new" / "results.json").read_text("utf-8"))

    assert read["written"] == "now"
    assert read["rows"][0]["ratio"] == 3.0
    assert from_json(read["rows"][0]) == QUICKER
    assert from_json(as_json(QUICKER)) == QUICKER
