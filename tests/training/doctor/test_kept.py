"""Rules of training.doctor.kept."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from core.errors import ConflictError, UsageError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from tests.training.doctor.drawings import encoded, scene
from training.doctor.kept import JudgedPair, KeptFiles


def test_kept_pairs_are_read_again_as_they_were(tmp_path: Path) -> None:
    """Ids, captions, labels and metadata survive; a picture is found from the new place."""
    (tmp_path / "images").mkdir()
    inside = Pair("one", tmp_path / "images" / "a b.png", ("a caf\u00e9", "b"), "x", {"n": 1})
    outside = Pair("two", Path("/elsewhere/b.png"), ("c",))
    files = KeptFiles.at(tmp_path / "kept.jsonl")

    files.write([JudgedPair(inside), JudgedPair(outside, extra={"score": 0.5})], {"kept": 2})

    assert list(read_pairs(files.kept)) == [inside, outside]
    lines = [json.loads(line) for line in files.kept.read_text().splitlines()]
    assert [line["image"] for line in lines] == ["images/a b.png", "/elsewhere/b.png"]
    assert lines[1]["score"] == 0.5
    assert json.loads(files.report.read_text()) == {"kept": 2}


def test_dropped_pairs_say_why(tmp_path: Path) -> None:
    """They can be read as pairs, too, so that nothing is lost."""
    pair = Pair("one", tmp_path / "a.png", ("a",))
    files = KeptFiles.at(tmp_path / "kept.jsonl")

    files.write([JudgedPair(pair, "because")], {})

    assert files.kept.read_text() == ""
    assert json.loads(files.dropped.read_text())["reason"] == "because"
    assert list(read_pairs(files.dropped)) == [pair]


def test_a_picture_inside_a_tar_is_taken_out(tmp_path: Path) -> None:
    """Only pictures of kept pairs are written, beside the pairs."""
    data = encoded(scene(1))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, content in (("1.png", data), ("1.txt", b"one"), ("2.png", data), ("2.txt", b"2")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    first, second = read_pairs(tmp_path / "a.tar")
    files = KeptFiles.at(tmp_path / "out" / "kept.jsonl")

    files.write([JudgedPair(first), JudgedPair(second, "because")], {})

    (kept,) = read_pairs(files.kept)
    assert isinstance(kept.image, Path)
    assert kept.image.read_bytes() == data
    assert kept.captions == ("one",)
    assert len(list(files.pictures.iterdir())) == 1


@pytest.mark.parametrize(
    "name", ["kept.jsonl", "kept.dropped.jsonl", "kept.report.json", "kept.pictures"]
)
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """Each of the files is looked for before any work."""
    (tmp_path / name).touch()

    with pytest.raises(ConflictError, match=f"{name} exists already"):
        KeptFiles.at(tmp_path / "kept.jsonl")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    """read_pairs could not tell what the file is."""
    with pytest.raises(UsageError, match=r"ends in \.jsonl"):
        KeptFiles.at(tmp_path / "kept.csv")
