"""Rules of ``sightline classify``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.classify import command
from core.errors import LabelSetError, NotFoundError, UsageError
from encoders.folder import open_model_folder
from tests.fakes import picture_bytes
from tests.fixtures_models import export_tiny_model

CAT = Path(__file__).parent.parent.parent / "examples" / "queries" / "cat.jpg"

pytestmark = pytest.mark.slow  # exports a model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a tiny model with random weights."""
    return export_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def run(*arguments: str | Path) -> Result:
    """Run the command; its errors are raised here as ``cli.main`` would see them."""
    return CliRunner().invoke(command, [str(item) for item in arguments], catch_exceptions=False)


def write_pictures(folder: Path, *names: str) -> list[Path]:
    """Write red pictures."""
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(picture_bytes("red"))
    return paths


def test_the_starter_model_knows_a_cat() -> None:
    """The example picture, labelled without any other option."""
    result = run(CAT, "--labels", "dog,cat,car,tree", "--json")
    entry = json.loads(result.stdout)["results"][0]

    assert entry["label"] == "cat"
    assert sum(item["score"] for item in entry["labels"]) == pytest.approx(1.0, abs=1e-5)


def test_every_image_gets_its_best_labels(model: Path, tmp_path: Path) -> None:
    """A row per image and label, --top of them per image."""
    one, two = write_pictures(tmp_path, "one.png", "two.png")

    result = run(one, two, "--labels", "cat,dog,bird", "--top", "2", "--model", model)
    rows = [line.split() for line in result.stdout.splitlines()]

    assert rows[0] == ["image", "label", "score", "cosine"]
    assert [row[0] for row in rows[1:]] == [str(one)] * 2 + [str(two)] * 2
    assert float(rows[1][2]) >= float(rows[2][2])
    assert result.exit_code == 0


def test_a_bad_image_is_named_and_the_others_are_labelled(model: Path, tmp_path: Path) -> None:
    """Exit code 0: something was labelled. The entries are in the order of the arguments."""
    one, bad, two = write_pictures(tmp_path, "one.png", "bad.png", "two.png")
    bad.write_bytes(b"broken")
    arguments = (one, bad, two, "--labels", "cat,dog", "--model", model)

    shown, as_json = run(*arguments), run(*arguments, "--json")
    results = json.loads(as_json.stdout)["results"]

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    assert "bad.png" in shown.stderr
    assert "bad.png" not in shown.stdout
    assert [entry["status"] for entry in results] == ["ok", "error", "ok"]
    assert results[1]["error"]["code"] == "image_unsupported"


def test_nothing_labelled_is_a_failure(model: Path, tmp_path: Path) -> None:
    """Exit code 1 and no table, if every image is bad or missing."""
    result = run(tmp_path / "none.png", "--labels", "cat,dog", "--model", model)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "none.png" in result.stderr


def test_a_folder_stands_for_the_images_in_it(model: Path, tmp_path: Path) -> None:
    """In order of path; other files are no images."""
    write_pictures(tmp_path, "b.png", "a.png")
    (tmp_path / "notes.txt").write_text("no image")

    results = json.loads(run(tmp_path, "--labels", "cat,dog", "--model", model, "--json").stdout)[
        "results"
    ]

    assert [Path(entry["image"]).name for entry in results] == ["a.png", "b.png"]


def test_a_folder_without_images_is_refused(model: Path, tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(UsageError, match="holds no images"):
        run(tmp_path, "--labels", "cat,dog", "--model", model)


def test_in_multi_mode_each_label_has_its_own_probability(model: Path, tmp_path: Path) -> None:
    """Asked alone or with others, a label has the same score."""
    (one,) = write_pictures(tmp_path, "one.png")

    def score(labels: str) -> float:
        result = run(one, "--labels", labels, "--mode", "multi", "--model", model, "--json")
        entry = json.loads(result.stdout)["results"][0]
        return next(item["score"] for item in entry["labels"] if item["label"] == "cat")

    assert score("cat") == score("dog,cat,bird")


def test_a_stored_label_set_is_found_in_the_gallery(model: Path, tmp_path: Path) -> None:
    """Of the gallery that is named; the answer names the model and the set."""
    from zeroshot.label_sets import LabelSetStore
    from zeroshot.templates import template_set

    (one,) = write_pictures(tmp_path, "one.png")
    LabelSetStore(tmp_path / "g" / "label-sets").save("pets", ["cat", "dog"], template_set("name"))
    arguments = (one, "--model", model, "--gallery", tmp_path / "g", "--json")

    answer = json.loads(run(*arguments, "--label-set", "pets@1").stdout)

    assert answer["model"] == open_model_folder(model).encoder_id
    assert answer["label_set"] == "pets@1"
    with pytest.raises(NotFoundError, match="known: imagenet, pets"):
        run(*arguments, "--label-set", "cars")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ((), UsageError, "no labels"),
        (("--labels", "cat,"), LabelSetError, r"labels\[1\] is empty"),
        (("--labels", "cat,Cat"), LabelSetError, "are the same"),
        (("--labels", "cat", "--templates", "best"), LabelSetError, "known: name, single"),
        (("--labels", "cat", "--label-set", "imagenet"), UsageError, "both given"),
    ],
)
def test_labels_that_cannot_be_used_are_a_usage_error(
    options: tuple[str, ...], error: type[UsageError], message: str
) -> None:
    """Found before the model is loaded."""
    with pytest.raises(error, match=message):
        run(CAT, *options, "--model", "not/even/loaded")
