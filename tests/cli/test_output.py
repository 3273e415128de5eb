"""Rules of cli.output."""

from __future__ import annotations

import pytest

from cli.output import note, print_json, print_table


def test_numbers_are_aligned_right_and_words_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns line up so that a person can read them."""
    print_table(["rank", "id"], [["1", "a.jpg"], ["10", "bb.jpg"]])

    assert capsys.readouterr().out == "rank  id\n   1  a.jpg\n  10  bb.jpg\n"


def test_an_empty_table_prints_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    """No rows is no error."""
    print_table(["rank", "id"], [])

    assert capsys.readouterr().out == "rank  id\n"


def test_json_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    """NaN is refused instead of printed."""
    with pytest.raises(ValueError, match="JSON"):
        print_json({"a": float("nan")})

    assert capsys.readouterr().out == ""


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Only results are on stdout."""
    note("opened")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "opened\n")
