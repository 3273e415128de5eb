"""Rules of JSON lines, lists, COCO captions and Karpathy's splits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import PairsError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs

KARPATHY = {
    "images": [
        {
            "filepath": "val2014",
            "filename": "1.jpg",
            "split": "test",
            "sentences": [{"raw": "A dog. "}, {"raw": "A hound."}],
        },
        {"filename": "2.jpg", "split": "train", "sentences": [{"raw": "A cat."}]},
        {"filename": "3.jpg", "split": "restval", "sentences": [{"raw": "A cow."}]},
    ],
    "dataset": "coco",
}


def write(path: Path, value: object) -> Path:
    """Write a value as JSON."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def lines(path: Path, *values: object) -> Path:
    """Write one value a line."""
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    return path


def test_lines_may_use_other_names(tmp_path: Path) -> None:
    """Usual names count without case, and any name may be asked for."""
    usual = lines(tmp_path / "a.jsonl", {"file_name": "a.jpg", "TEXT": ["x", "y"]})
    own = lines(tmp_path / "b.jsonl", {"foto": "a.jpg", "wort": "x"})

    assert read_pairs(usual)[0].captions == ("x", "y")
    assert read_pairs(own, image_column="foto", caption_column="wort")[0].captions == ("x",)


def test_a_caption_field_that_no_line_has_is_refused(tmp_path: Path) -> None:
    """One line may lack it, all lines may not."""
    some = lines(tmp_path / "a.jsonl", {"image": "a.jpg"}, {"image": "b.jpg", "wort": "x"})
    none = lines(tmp_path / "b.jsonl", {"image": "a.jpg", "words": "x"})

    assert [pair.captions for pair in read_pairs(some, caption_column="wort")] == [(), ("x",)]
    with pytest.raises(PairsError, match=r"b\.jsonl: no caption column; looked for wort, found im"):
        read_pairs(none, caption_column="wort")


def test_lines_of_one_image_are_one_pair(tmp_path: Path) -> None:
    """As in tables, unless ids are stated."""
    source = lines(
        tmp_path / "a.jsonl",
        {"image": "a.jpg", "caption": "x", "metadata": {"n": 1, "by": "me"}},
        {"image": "a.jpg", "caption": "y", "metadata": {"n": 2, "by": "me"}},
    )

    assert read_pairs(source) == [
        Pair("a.jpg", tmp_path / "a.jpg", ("x", "y"), metadata={"by": "me"})
    ]


def test_an_empty_image_is_skipped_and_named(tmp_path: Path) -> None:
    """The rest of the file is used."""
    source = lines(
        tmp_path / "a.jsonl",
        {"image": None, "caption": "x"},
        {"image": float("nan"), "caption": "z"},
        {"image": "b.jpg", "caption": "y"},
    )

    pairs = read_pairs(source)

    assert [pair.id for pair in pairs] == ["b.jpg"]
    assert pairs.skipped == {
        "a.jsonl:1": "the column 'image' is empty",
        "a.jsonl:2": "the column 'image' is empty",
    }


def test_half_a_character_is_named(tmp_path: Path) -> None:
    """JSON can write what no tokenizer can encode."""
    source = tmp_path / "a.jsonl"
    source.write_text('{"image": "a.jpg", "caption": "x \\ud83d"}\n')

    with pytest.raises(PairsError, match=r"a\.jsonl:1: a caption holds half of a character"):
        read_pairs(source)


def test_a_number_is_no_image(tmp_path: Path) -> None:
    """The line and the value are named."""
    source = lines(tmp_path / "a.jsonl", {"image": 7, "caption": "x"})

    with pytest.raises(PairsError, match=r"a\.jsonl:1: no image path; the image is '7'"):
        read_pairs(source)


def test_a_list_of_objects_is_read_as_lines(tmp_path: Path) -> None:
    """The number of the entry stands for the line."""
    source = write(tmp_path / "a.json", [{"image": "a.jpg", "caption": "x"}])

    assert read_pairs(source) == [Pair("a.jpg", tmp_path / "a.jpg", ("x",))]
    with pytest.raises(PairsError, match=r"b\.json:2: expected a JSON object, not '3'"):
        read_pairs(write(tmp_path / "b.json", [{"image": "a.jpg"}, 3]))


def test_coco_captions(tmp_path: Path) -> None:
    """Annotations are joined to their images; one of an unknown image does not count."""
    source = write(
        tmp_path / "captions.json",
        {
            "images": [{"id": 9, "file_name": "9.jpg"}, {"id": 4, "file_name": "4.jpg"}],
            "annotations": [
                {"image_id": 4, "caption": "four"},
                {"image_id": 9, "caption": "nine"},
                {"image_id": 9, "caption": "neun"},
                {"image_id": 5, "caption": "five"},
            ],
        },
    )

    assert read_pairs(source, image_root=tmp_path / "val2017") == [
        Pair("9.jpg", tmp_path / "val2017" / "9.jpg", ("nine", "neun")),
        Pair("4.jpg", tmp_path / "val2017" / "4.jpg", ("four",)),
    ]
    with pytest.raises(PairsError, match="one split of COCO"):
        read_pairs(Path(f"{source}#val"))


def test_karpathys_splits_are_never_mixed(tmp_path: Path) -> None:
    """Training on the test split by accident would make every number a lie."""
    source = write(tmp_path / "dataset.json", KARPATHY)

    with pytest.raises(PairsError, match=r"splits restval, test, train; .*dataset\.json#train"):
        read_pairs(source)
    with pytest.raises(PairsError, match="no split 'val'; it has restval, test, train"):
        read_pairs(Path(f"{source}#val"))


def test_karpathys_training_split_holds_restval(tmp_path: Path) -> None:
    """As in the papers that use it."""
    source = write(tmp_path / "dataset.json", KARPATHY)

    assert [pair.id for pair in read_pairs(Path(f"{source}#train"))] == ["2.jpg", "3.jpg"]
    assert read_pairs(Path(f"{source}#test")) == [
        Pair("val2014/1.jpg", tmp_path / "val2014" / "1.jpg", ("A dog.", "A hound."))
    ]


@pytest.mark.parametrize("value", [3, {"a": 1}, {"images": 3}])
def test_other_json_is_refused(tmp_path: Path, value: object) -> None:
    """The message says which kinds are read."""
    with pytest.raises(PairsError, match="COCO captions or Karpathy's splits"):
        read_pairs(write(tmp_path / "a.json", value))


def test_broken_json_is_refused(tmp_path: Path) -> None:
    """Cut, not UTF-8, or nested without end."""
    source = tmp_path / "a.json"
    for data in (b'[{"image": ', b"[" * 100_000):
        source.write_bytes(data)
        with pytest.raises(PairsError, match="not valid JSON"):
            read_pairs(source)
    source.write_bytes(b'["caf\xe9"]')
    with pytest.raises(PairsError, match="not UTF-8"):
        read_pairs(source)
