"""Rules of ``read_pairs(..., skip_bad_rows=True)``: a bad row is named with its line, not fatal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import PairsError
from core.pairs.reading import read_pairs


def test_bad_lines_of_json_are_named(tmp_path: Path) -> None:
    """No JSON, no object, no image, a caption that is a number, an id that occurs twice."""
    path = tmp_path / "pairs.jsonl"
    good = {"id": "a", "image": "a.jpg", "caption": "a"}
    lines = [
        json.dumps(good),
        "{",
        "[1]",
        json.dumps({"caption": "no image"}),
        json.dumps({"id": "b", "image": "b.jpg", "caption": 3}),
        json.dumps(good),
        json.dumps({"id": "c", "image": "c.jpg", "caption": "c"}),
    ]
    path.write_text("\n".join(lines))

    found = read_pairs(path, skip_bad_rows=True)

    assert [pair.id for pair in found] == ["a", "c"]
    assert list(found.skipped) == [f"pairs.jsonl:{number}" for number in (2, 3, 4, 5, 6)]
    assert "not valid JSON" in found.skipped["pairs.jsonl:2"]
    assert "occurs twice" in found.skipped["pairs.jsonl:6"]


def test_bad_rows_of_a_table_are_named(tmp_path: Path) -> None:
    """Two labels of one image, an address in the place of a file."""
    path = tmp_path / "pairs.csv"
    path.write_text(
        "image,caption,label\na.jpg,a,cat\na.jpg,again,dog\nhttp://x/b.jpg,b,cat\nc.jpg,c,cat\n"
    )

    found = read_pairs(path, skip_bad_rows=True)

    assert [pair.id for pair in found] == ["a.jpg", "c.jpg"]
    assert list(found.skipped) == ["pairs.csv:3", "pairs.csv:4"]


def test_without_it_the_first_bad_row_is_fatal(tmp_path: Path) -> None:
    """Training refuses what it would not see."""
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"image": "a.jpg", "caption": "a"}\n{\n')

    with pytest.raises(PairsError, match=r"pairs\.jsonl:2: not valid JSON"):
        read_pairs(path)


def test_a_source_of_bad_rows_alone_is_refused(tmp_path: Path) -> None:
    """With the reason of the first."""
    path = tmp_path / "pairs.jsonl"
    path.write_text("{\n{\n")

    with pytest.raises(PairsError, match=r"holds no images; pairs\.jsonl:1"):
        read_pairs(path, skip_bad_rows=True)
