"""Rules of the names of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import PairsError
from core.pairs.patterns import expand_braces, matching_files, split_of
from core.pairs.reading import is_pairs_source, read_pairs


def test_braces_count_and_list() -> None:
    """Leading zeros give the width; several braces are all their combinations."""
    assert expand_braces("s-{008..010}.tar") == ["s-008.tar", "s-009.tar", "s-010.tar"]
    assert expand_braces("{a,b}{1..2}") == ["a1", "a2", "b1", "b2"]
    assert expand_braces("plain") == ["plain"]


def test_a_pattern_is_its_files_in_order(tmp_path: Path) -> None:
    """Tables of one pattern are one source, and rows of one image meet across them."""
    (tmp_path / "b").mkdir()
    for name, caption in (("b/2.csv", "y"), ("b/1.csv", "x"), ("b/3.tsv", "z")):
        (tmp_path / name).write_text(f"image,caption\n/a.jpg,{caption}\n")

    assert matching_files(tmp_path / "*" / "?.csv") == [
        tmp_path / "b" / "1.csv",
        tmp_path / "b" / "2.csv",
    ]
    assert [pair.captions for pair in read_pairs(tmp_path / "b" / "*.csv")] == [("x", "y")]
    assert len(matching_files(tmp_path / "b" / "{1,2}.csv")) == 2


def test_a_pattern_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    """A hole in a row of shards is an error, not less data."""
    (tmp_path / "1.csv").write_text("image,caption\na.jpg,x\n")

    with pytest.raises(PairsError, match=r"2\.csv does not exist; .*by the pattern .*\{1\.\.2\}"):
        read_pairs(tmp_path / "{1..2}.csv")
    with pytest.raises(PairsError, match=r"\*\.tsv does not exist"):
        read_pairs(tmp_path / "*.tsv")


def test_a_split_stands_after_the_path(tmp_path: Path) -> None:
    """A file that really has such a name is meant first."""
    real = tmp_path / "a#b"
    real.write_text("")

    assert split_of(Path("x/data.json#train")) == (Path("x/data.json"), "train")
    assert split_of(Path("x/data.json")) == (Path("x/data.json"), None)
    assert split_of(real) == (real, None)
    assert split_of(Path("x/#a")) == (Path("x/#a"), None)


def test_a_file_with_brackets_in_its_name_is_itself(tmp_path: Path) -> None:
    """What exists is no pattern."""
    table = tmp_path / "a[1].csv"
    table.write_text("image,caption\na.jpg,x\n")

    assert len(read_pairs(table)) == 1


def test_what_is_a_source_of_pairs(tmp_path: Path) -> None:
    """Folders, tables, containers and patterns are; a picture is not."""
    for name in ("a.tar", "b.jpg"):
        (tmp_path / name).write_bytes(b"")

    assert is_pairs_source(tmp_path)
    assert is_pairs_source(tmp_path / "missing.parquet")
    assert is_pairs_source(tmp_path / "*.tar")
    assert is_pairs_source(tmp_path / "data#train")
    assert not is_pairs_source(tmp_path / "b.jpg")
