"""Rules of core.pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import PairsError
from core.pairs.folders import find_images
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs


def write(path: Path, text: str = "") -> Path:
    """Write a text file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_with_captions(tmp_path: Path) -> None:
    """The lines of ``a.txt`` are the captions of ``a.jpg``."""
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "a cat\n\n a small cat \n")
    write(tmp_path / "sub" / "b.PNG")

    assert read_pairs(tmp_path) == [
        Pair(id="a.jpg", image=tmp_path / "a.jpg", captions=("a cat", "a small cat")),
        Pair(id="sub/b.PNG", image=tmp_path / "sub" / "b.PNG", captions=()),
    ]


def test_a_folder_of_classes(tmp_path: Path) -> None:
    """Without captions the sub-folder is the label."""
    write(tmp_path / "cat" / "1.jpg")
    write(tmp_path / "dog" / "1.jpg")

    assert [pair.label for pair in read_pairs(tmp_path)] == ["cat", "dog"]


def test_hidden_files_and_other_kinds_are_not_images(tmp_path: Path) -> None:
    """Only image suffixes count, in order of path."""
    for name in ("b.jpg", "a.webp", ".hidden.jpg", ".cache/c.jpg", "notes.md"):
        write(tmp_path / name)

    assert [path.name for path in find_images(tmp_path)] == ["a.webp", "b.jpg"]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_table_with_any_separator(tmp_path: Path, separator: str) -> None:
    """Columns are found by their usual names; the other columns are metadata."""
    rows = [["filepath", "title", "year"], ["x/a.jpg", "a cat", "1999"], ["b.jpg", "a dog", ""]]
    text = "\n".join(separator.join(row) for row in rows)
    table = write(tmp_path / "pairs.csv", f"\ufeff{text}\n")

    assert read_pairs(table) == [
        Pair("x/a.jpg", tmp_path / "x/a.jpg", ("a cat",), metadata={"year": "1999"}),
        Pair("b.jpg", tmp_path / "b.jpg", ("a dog",)),
    ]


def test_quoted_cells_may_hold_line_breaks(tmp_path: Path) -> None:
    """A caption in quotes keeps its separator and its line break."""
    table = write(tmp_path / "pairs.csv", 'image,caption\na.jpg,"red, round\nand big"\n')

    assert read_pairs(table)[0].captions == ("red, round\nand big",)


def test_a_table_of_labels_needs_no_captions(tmp_path: Path) -> None:
    """Labels alone are enough for zero-shot evaluation; they are not captions."""
    table = write(tmp_path / "pairs.csv", "image,label\na.jpg,cat\n")

    assert read_pairs(table) == [Pair("a.jpg", tmp_path / "a.jpg", (), label="cat")]


def test_columns_may_be_named(tmp_path: Path) -> None:
    """Unusual column names are given by the caller."""
    table = write(tmp_path / "pairs.csv", "foto,bildtext\na.jpg,eine Katze\n")

    pairs = read_pairs(table, image_column="foto", caption_column="bildtext")

    assert pairs[0].captions == ("eine Katze",)


def test_a_missing_column_is_named_with_those_found(tmp_path: Path) -> None:
    """Never a KeyError: the message lists what was looked for and what is there."""
    table = write(tmp_path / "pairs.csv", "foto,caption\na.jpg,x\n")

    with pytest.raises(PairsError, match=r"no image column.*found foto, caption.*--image-column"):
        read_pairs(table)


def test_jsonl_keeps_label_and_metadata(tmp_path: Path) -> None:
    """Every field of a line reaches the pair."""
    line = (
        '{"image": "a.jpg", "captions": ["x", "y"], "id": "7", "label": "cat", '
        '"metadata": {"n": 1}}'
    )
    source = write(tmp_path / "pairs.jsonl", f"{line}\n\n")

    assert read_pairs(source) == [
        Pair("7", tmp_path / "a.jpg", ("x", "y"), label="cat", metadata={"n": 1})
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "expected a JSON object"),
        ('{"caption": "x"}', "no image column"),
        ('{"image": "a.jpg", "captions": [1]}', "captions must be text"),
        ('{"image": "a.jpg", "metadata": 3}', "'metadata' must be an object"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """File and line number stand in the message."""
    source = write(tmp_path / "pairs.jsonl", f'{{"image": "ok.jpg"}}\n{line}\n')

    with pytest.raises(PairsError, match=rf"pairs\.jsonl:2: .*{message}"):
        read_pairs(source)


def test_ids_must_be_unique(tmp_path: Path) -> None:
    """Two pairs with one stated id are refused, and the second is named."""
    lines = '{"image": "a.jpg", "id": "7"}\n{"image": "b.jpg", "id": 7}\n'
    source = write(tmp_path / "pairs.jsonl", lines)

    with pytest.raises(PairsError, match=r"pairs\.jsonl:2: the id '7' occurs twice"):
        read_pairs(source)


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    """No images is an error, not an empty success."""
    with pytest.raises(PairsError, match="holds no images"):
        read_pairs(tmp_path)


@pytest.mark.parametrize("name", ["missing.csv", "pairs.xlsx"])
def test_missing_and_unknown_sources_are_refused(tmp_path: Path, name: str) -> None:
    """The message says which kinds are read."""
    if name == "pairs.xlsx":
        write(tmp_path / name, "x")

    with pytest.raises(PairsError, match=r"\.jsonl"):
        read_pairs(tmp_path / name)


def test_captions_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    """The file is named."""
    write(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")

    with pytest.raises(PairsError, match=r"a\.txt is not UTF-8"):
        read_pairs(tmp_path)
