"""Rules of folders of pictures with captions beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core.pairs.pair import Pair
from core.pairs.reading import read_pairs


def write(path: Path, text: str = "") -> Path:
    """Write a text file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_json_beside_a_picture(tmp_path: Path) -> None:
    """img2dataset's files: captions and label are known, plain values are metadata."""
    write(tmp_path / "a.jpg")
    fields = {"caption": "x", "label": "cat", "width": 3, "exif": {"a": 1}, "error": None}
    write(tmp_path / "a.json", json.dumps(fields))
    write(tmp_path / "b.jpg")
    write(tmp_path / "b.json", json.dumps(["one", "two"]))

    assert read_pairs(tmp_path) == [
        Pair("a.jpg", tmp_path / "a.jpg", ("x",), label="cat", metadata={"width": 3}),
        Pair("b.jpg", tmp_path / "b.jpg", ("one", "two")),
    ]


def test_text_comes_before_json(tmp_path: Path) -> None:
    """With both, the lines of the text are the captions."""
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "one\r\ntwo\n")
    write(tmp_path / "a.json", '{"caption": "three", "n": 1}')

    assert read_pairs(tmp_path) == [
        Pair("a.jpg", tmp_path / "a.jpg", ("one", "two"), metadata={"n": 1})
    ]


def test_a_caption_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Its picture is left out, its neighbours are not."""
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.jpg")
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    write(tmp_path / "b.json", "{")
    write(tmp_path / "c.txt", "fine")

    pairs = read_pairs(tmp_path)

    assert [pair.id for pair in pairs] == ["c.jpg"]
    assert "a.txt is not UTF-8" in pairs.skipped["a.jpg"]
    assert "b.json: not valid JSON" in pairs.skipped["b.jpg"]


def test_a_caption_of_no_picture_changes_nothing(tmp_path: Path) -> None:
    """A stray readme does not turn classes into pictures without captions."""
    write(tmp_path / "cat" / "1.jpg")
    write(tmp_path / "cat" / "readme.txt", "from the web")

    assert read_pairs(tmp_path)[0].label == "cat"


def test_unicode_names(tmp_path: Path) -> None:
    """Names are kept as they are."""
    write(tmp_path / "Fotos ü" / "猫 1.JPG")
    write(tmp_path / "Fotos ü" / "猫 1.txt", "ein 猫")

    assert read_pairs(tmp_path) == [
        Pair("Fotos ü/猫 1.JPG", tmp_path / "Fotos ü" / "猫 1.JPG", ("ein 猫",))
    ]


def test_a_name_that_is_not_utf8_is_skipped(tmp_path: Path) -> None:
    """It could not be written into any report."""
    write(tmp_path / "a.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"")

    pairs = read_pairs(tmp_path)

    assert [pair.id for pair in pairs] == ["a.jpg"]
    assert pairs.skipped == {"'caf\\udce9.jpg'": "its name is not UTF-8; rename it"}
