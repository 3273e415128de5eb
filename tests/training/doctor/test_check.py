"""Rules of training.doctor.check, findings and report: from files to words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from core.errors import PairsError
from core.progress import silent
from tests.training.doctor.drawings import encoded, scene, write_pairs
from training.doctor.check import CheckRequest, check_data
from training.doctor.model_facts import ModelFacts, facts_of_model
from training.doctor.plan import RunPlan
from training.doctor.report import DoctorReport


@pytest.fixture(scope="module")
def starter() -> ModelFacts:
    """Return the facts of the model that ships with Sightline, for small pictures."""
    return dataclasses.replace(facts_of_model(), image_size=16)


def check(folder: Path, model: ModelFacts, **options: object) -> DoctorReport:
    """Check the pairs of a folder."""
    request = CheckRequest(data=folder / "pairs.jsonl", model=model, threads=2)
    return check_data(dataclasses.replace(request, **options), progress=silent)


def codes(report: DoctorReport) -> list[str]:
    """Return level and code of the findings."""
    return [f"{finding.level} {finding.code}" for finding in report.findings]


def write_good(folder: Path, count: int = 24, *, first: int = 0) -> Path:
    """Write pairs that nothing is wrong with."""
    names = [f"{number:02}.png" for number in range(first, first + count)]
    files = {name: encoded(scene(int(name[:2]))) for name in names}
    return write_pairs(folder, files, {name: [f"a picture called {name}"] for name in names})


def test_good_pairs_have_no_findings(tmp_path: Path, starter: ModelFacts) -> None:
    """Counts are right, and there is nothing to say."""
    write_good(tmp_path)

    report = check(tmp_path, starter)

    assert (report.pairs, report.usable, report.distinct_pictures) == (24, 24, 24)
    assert report.findings == []
    assert [one.batch_size for one in report.batches] == [16]
    assert report.batches[0].floor == 0


def test_everything_that_is_wrong_is_found(tmp_path: Path, starter: ModelFacts) -> None:
    """One fault of each kind; problems come first."""
    copy = encoded(scene(1))
    files = {
        "a.png": copy,
        "b.png": copy,
        "c.jpg": encoded(scene(1).resize((60, 50)), "JPEG", quality=85),
        "d.png": b"",
        "e.png": encoded(scene(2)),
        "f.png": encoded(scene(3).resize((10, 10))),
    }
    captions = {
        "a.png": ["cat"],
        "b.png": ["Cat"],
        "c.jpg": ["word " * 80],
        "d.png": ["dog"],
        "e.png": [],
        "f.png": ["\u7ea2\u8272\u7684\u6c7d\u8f66"],
        "missing.png": ["bird"],
    }
    write_pairs(tmp_path, files, captions)
    write_pairs(tmp_path / "val", {"x.png": copy}, {"x.png": ["cat"]})
    plan = RunPlan(recipe="r", batch_size=64, learning_rate=5e-4, pretrained=True, fine_tunes=True)

    report = check(tmp_path, starter, heldout=tmp_path / "val" / "pairs.jsonl", plan=plan)

    assert codes(report) == [
        "problem unusable_pictures",
        "problem no_caption",
        "problem leakage",
        "problem batch_too_large",
        "warning same_files",
        "warning alike_pictures",
        "warning few_captions",
        "warning cut_captions",
        "warning one_word_captions",
        "warning other_scripts",
        "warning high_learning_rate",
    ]
    messages = {finding.code: finding.message for finding in report.findings}
    assert "2 of 7 pictures cannot be used (1 empty, 1 missing)" in messages["unusable_pictures"]
    assert (
        "3 pairs with a picture of the held-out set (2 the same file, 1 alike)"
        in (messages["leakage"])
    )
    assert [bad.id for bad in report.bad] == ["d.png", "missing.png"]
    assert report.usable == 4
    assert report.has_problems


def test_pictures_below_the_size_of_the_model_are_a_warning(
    tmp_path: Path, starter: ModelFacts
) -> None:
    """The share is named with the size."""
    write_good(tmp_path)

    report = check(tmp_path, dataclasses.replace(starter, image_size=224))

    assert codes(report) == ["warning small_pictures"]
    assert "100.0 % of the pictures are smaller than the 224 pixels" in report.findings[0].message


def test_class_names_as_captions_are_a_warning(tmp_path: Path, starter: ModelFacts) -> None:
    """Two captions for forty pictures; the floor of the loss says how little is left to learn."""
    files = {f"{number:02}.png": encoded(scene(number)) for number in range(40)}
    write_pairs(tmp_path, files, {name: [f"class {int(name[:2]) % 2}"] for name in files})

    report = check(tmp_path, starter)

    assert codes(report) == ["warning class_like_captions"]
    assert report.captions.common[0].pairs == 20
    (outlook,) = report.batches
    assert outlook.negatives_equal == pytest.approx(19 / 39)
    assert outlook.guessing - outlook.floor < 0.8


def test_equal_captions_in_a_batch_are_a_warning(tmp_path: Path, starter: ModelFacts) -> None:
    """Every caption twice: harmless to our loss, not to others."""
    files = {f"{number:02}.png": encoded(scene(number)) for number in range(40)}
    write_pairs(tmp_path, files, {name: [f"number {int(name[:2]) // 2}"] for name in files})

    report = check(tmp_path, starter)

    assert codes(report) == ["warning false_negatives"]
    # A pair of 40 meets its twin among 15 of 39 others.
    assert report.batches[0].pairs_affected == pytest.approx(15 / 39)


def test_the_report_is_strict_json_and_the_same_every_time(
    tmp_path: Path, starter: ModelFacts
) -> None:
    """Any number of threads gives the same bytes."""
    write_good(tmp_path, 8)
    (tmp_path / "03.png").write_bytes(b"")

    texts = {
        json.dumps(check(tmp_path, starter, threads=threads).to_json(), allow_nan=False)
        for threads in (1, 2, 3)
    }

    assert len(texts) == 1
    assert json.loads(texts.pop())["bad"][0]["code"] == "image_empty"


def test_nothing_usable_is_a_report_not_an_error(tmp_path: Path, starter: ModelFacts) -> None:
    """All pictures are broken, and that is said."""
    write_pairs(tmp_path, {"a.png": b""}, {"a.png": ["a cat"]})

    report = check(tmp_path, starter)

    assert (report.usable, report.batches) == (0, [])
    assert codes(report) == ["problem unusable_pictures"]
    json.dumps(report.to_json(), allow_nan=False)


def test_pairs_are_read_as_the_recipe_says(tmp_path: Path, starter: ModelFacts) -> None:
    """Columns and the folder of the pictures are settings of a recipe, too."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(encoded(scene(1)))
    (tmp_path / "pairs.csv").write_text("photo,words\na.png,a picture\n")
    plan = RunPlan(
        image_column="photo", caption_column="words", image_root=str(tmp_path / "pictures")
    )

    report = check(tmp_path, starter, data=tmp_path / "pairs.csv", plan=plan)

    assert (report.pairs, report.usable) == (1, 1)


def test_pairs_that_cannot_be_read_are_an_error(tmp_path: Path, starter: ModelFacts) -> None:
    """The error of reading pairs passes through."""
    with pytest.raises(PairsError, match="does not exist"):
        check(tmp_path, starter)
