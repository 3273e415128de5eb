"""Only the section of ``make bench`` in RESULTS.md is rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench_results import (
    BEGIN,
    END,
    RESULTS,
    machine_name,
    section,
    with_section,
    write_section,
)
from benchmarks.bench_rows import Row


def test_a_first_section_is_appended() -> None:
    """A file without the marks gets them at its end."""
    assert with_section("# Results\n\nby hand\n", "new") == (
        f"# Results\n\nby hand\n\n{BEGIN}\nnew\n{END}\n"
    )


def test_a_section_is_replaced_and_the_rest_is_kept() -> None:
    """What stands before and behind the marks is left as it is, to the byte."""
    text = f"before\n\n{BEGIN}\nold | table\n{END}\n\nbehind  \n"

    assert with_section(text, "new\n") == f"before\n\n{BEGIN}\nnew\n{END}\n\nbehind  \n"


def test_writing_twice_is_writing_once(tmp_path: Path) -> None:
    """The section does not grow."""
    path = tmp_path / "RESULTS.md"
    path.write_text("by hand\n", encoding="utf-8")
    write_section(path, "new")
    once = path.read_text("utf-8")
    write_section(path, "new")

    assert path.read_text("utf-8") == once


@pytest.mark.parametrize("text", [f"a {BEGIN} b", f"a {END} b", f"{END} a {BEGIN}"])
def test_damaged_marks_are_refused(text: str) -> None:
    """Rather than guess what may be overwritten."""
    with pytest.raises(ValueError, match="marks"):
        with_section(text, "new")


def test_the_section_has_command_machine_and_tally() -> None:
    """A figure stands with how it was come by."""
    rows = [Row("p", "what", ours=(2.0,), beside="peer", theirs=(1.0,))]
    text = section(rows, command="make bench", machine="2 cores of X")

    assert text.startswith("## ")
    assert "`make bench`: 2 cores of X." in text
    assert "| p | what | 2.00 | peer: 1.00 | 2.00 |  | won |" in text
    assert text.endswith("1 won, 0 even, 0 lost; 0 of 0 aims met; 0 not measured.")


def test_the_machine_is_named() -> None:
    """Cores and Python stand in its name."""
    assert " cores of " in machine_name()
    assert "Python 3." in machine_name()


def test_the_results_have_room_for_the_section() -> None:
    """The file in the repository has no marks, or both in order."""
    assert with_section(RESULTS.read_text("utf-8"), "new").count(BEGIN) == 1
