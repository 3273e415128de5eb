"""Rules of evaluation.zero_shot."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import LabelSetError, PairsError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from evaluation.zero_shot import evaluate_zero_shot
from tests.fakes import FakeEncoder, picture_bytes
from zeroshot.templates import template_set


def labelled(folder: Path, id: str, colour: str, label: str | None) -> Pair:
    """Write a one-colour picture and return it with its class."""
    path = folder / f"{id}.png"
    path.write_bytes(picture_bytes(colour))
    return Pair(id=id, image=path, captions=(), label=label)


def test_one_of_four_wrong_is_three_quarters(tmp_path: Path) -> None:
    """Three pictures show their class, one labelled red is blue."""
    pairs = [
        labelled(tmp_path, "a", "red", "red"),
        labelled(tmp_path, "b", "blue", "red"),
        labelled(tmp_path, "c", "blue", "blue"),
        labelled(tmp_path, "d", "green", "green"),
    ]

    report = evaluate_zero_shot(FakeEncoder(), pairs)

    assert report.labels == ("blue", "green", "red")
    assert report.accuracy == 0.75
    assert report.mean_per_class_recall == pytest.approx((1 + 1 + 0.5) / 3)
    assert report.confusion_CC.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert report.classes.precision_C.tolist() == [0.5, 1.0, 1.0]
    wrong = report.predictions[1]
    assert (wrong.id, wrong.truth, wrong.predicted, wrong.true_rank) == ("b", "red", "blue", 3)


def test_top_five_needs_five_classes(tmp_path: Path) -> None:
    """With four classes any answer is among the best five."""
    pairs = [labelled(tmp_path, "a", "red", "red")]
    colours = ["red", "green", "blue", "yellow", "white", "black"]

    few = evaluate_zero_shot(FakeEncoder(), pairs, labels=colours[:4])
    many = evaluate_zero_shot(FakeEncoder(), pairs, labels=colours)

    assert few.accuracy_top5 is None
    assert many.accuracy_top5 == 1.0


def test_folders_are_classes(tmp_path: Path) -> None:
    """One folder per class is all that is needed."""
    for colour in ("red", "blue"):
        (tmp_path / colour).mkdir()
        (tmp_path / colour / "1.png").write_bytes(picture_bytes(colour))

    report = evaluate_zero_shot(FakeEncoder(), read_pairs(tmp_path))

    assert report.accuracy == 1.0


def test_what_cannot_be_scored_is_counted(tmp_path: Path) -> None:
    """No label, another label, a corrupt image: each has its number, none is dropped silently."""
    broken = labelled(tmp_path, "d", "red", "red")
    broken.image.write_bytes(b"broken")
    pairs = [
        labelled(tmp_path, "a", "red", "Red "),
        labelled(tmp_path, "b", "red", None),
        labelled(tmp_path, "c", "white", "white"),
        broken,
    ]

    report = evaluate_zero_shot(FakeEncoder(), pairs, labels=["red", "blue"])

    assert [item.id for item in report.predictions] == ["a"]
    assert (report.pairs, report.unlabelled, report.other_labels) == (4, 1, {"white": 1})
    assert [item.code for item in report.failed] == ["image_unsupported"]


def test_labels_of_pairs_that_differ_in_case_are_one_class(tmp_path: Path) -> None:
    """Hand-written labels are folded as the classifier folds them."""
    pairs = [labelled(tmp_path, "a", "red", "Red"), labelled(tmp_path, "b", "red", "red")]

    report = evaluate_zero_shot(FakeEncoder(), pairs)

    assert report.labels == ("Red",)
    assert report.accuracy == 1.0


def test_the_templates_are_recorded(tmp_path: Path) -> None:
    """Without them a number cannot be reproduced."""
    pairs = [labelled(tmp_path, "a", "red", "red")]

    assert evaluate_zero_shot(FakeEncoder(), pairs).templates.name == "imagenet7"
    single = evaluate_zero_shot(FakeEncoder(), pairs, templates=template_set("single"))
    assert single.templates.digest == template_set("single").digest


def test_pairs_without_any_label_are_refused(tmp_path: Path) -> None:
    """The message says where labels come from."""
    with pytest.raises(PairsError, match="one folder per class"):
        evaluate_zero_shot(FakeEncoder(), [labelled(tmp_path, "a", "red", None)])


def test_nothing_to_score_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    """None of the pairs has a class of the list."""
    pairs = [labelled(tmp_path, "a", "red", "red"), labelled(tmp_path, "b", "red", None)]

    with pytest.raises(PairsError, match="none of 2 pairs can be scored: 1 have no label"):
        evaluate_zero_shot(FakeEncoder(), pairs, labels=["blue", "green"])


def test_labels_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """The rules of labels hold here too."""
    with pytest.raises(LabelSetError, match="are the same"):
        evaluate_zero_shot(
            FakeEncoder(), [labelled(tmp_path, "a", "red", "red")], labels=["red", "RED"]
        )
