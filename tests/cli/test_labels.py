"""Rules of ``sightline labels`` and of what ``sightline classify`` makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.classify import command as classify
from cli.label_files import read_labels
from cli.labels import command as labels
from core.errors import LabelSetError, PairsError, UsageError
from tests.fakes import COLOURS, FakeEncoder, picture_bytes
from zeroshot.labels import Label


@pytest.fixture(autouse=True)
def fake_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command loads the fake encoder."""
    for module in ("cli.opening", "cli.local_labels"):
        monkeypatch.setattr(f"{module}.open_encoder", lambda model, gallery: FakeEncoder())


def run(command: click.Command, *arguments: str | Path) -> Result:
    """Run a command; its errors are raised here as ``cli.main`` would see them."""
    return CliRunner().invoke(command, [str(item) for item in arguments], catch_exceptions=False)


def shown(command: click.Command, *arguments: str | Path) -> dict[str, Any]:
    """Run a command with --json."""
    found: dict[str, Any] = json.loads(run(command, *arguments, "--json").stdout)
    return found


def write_shades(folder: Path, name: str, count: int, *, colour: str | None = None) -> Path:
    """Write pictures near a colour into a folder of that name."""
    generator = np.random.default_rng(count)
    (folder / name).mkdir(parents=True)
    for place in range(count):
        offsets = generator.integers(-18, 19, 3)
        rgb = [
            int(np.clip(v + o, 0, 255))
            for v, o in zip(COLOURS[colour or name], offsets, strict=True)
        ]
        (folder / name / f"{place}.png").write_bytes(picture_bytes((rgb[0], rgb[1], rgb[2])))
    return folder


def saved(gallery: Path) -> tuple[str, Path]:
    """Save three colours and return the option of the gallery."""
    run(
        labels,
        "save",
        "traffic",
        "--labels",
        "red,green,blue",
        "--templates",
        "name",
        "--gallery",
        gallery,
    )
    return "--gallery", gallery


def test_a_label_set_is_saved_listed_and_shown(tmp_path: Path) -> None:
    """As text and as JSON; background labels are marked."""
    gallery = ("--gallery", tmp_path / "g")
    first = run(labels, "save", "pets", "--labels", "cat,dog", "--background", "other", *gallery)
    listed = run(labels, "list", *gallery)
    found = shown(labels, "show", "pets@1", *gallery)

    assert first.stdout.splitlines()[:4] == [
        "pets@1  3 labels",
        "  cat",
        "  dog",
        "  other  (background)",
    ]
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["imagenet@1", "pets@1"]
    assert found["labels"] == ["cat", "dog", "other"]
    assert found["details"]["other"]["background"]
    assert shown(labels, "list", *gallery)["label_sets"][1] == found


def test_labels_come_from_a_file(tmp_path: Path) -> None:
    """One a line, or a JSON list of texts and objects."""
    lines, objects = tmp_path / "labels.txt", tmp_path / "labels.json"
    lines.write_text("cat\n\ndog\n", encoding="utf-8")
    objects.write_text(
        json.dumps(["dog", {"text": "cat", "aliases": ["kitten"], "prompts": ["a {}"]}])
    )

    assert read_labels(lines) == [Label("cat"), Label("dog")]
    assert read_labels(objects) == [Label("dog"), Label("cat", ("kitten",), ("a {}",))]
    assert shown(labels, "save", "pets", "--file", objects, "--gallery", tmp_path)["details"] == {
        "cat": {"aliases": ["kitten"], "prompts": ["a {}"], "background": False}
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "cat"}',
        "[1]",
        '[{"text": ""}]',
        '[{"name": "cat"}]',
        "[",
        '[{"text": "a", "aliases": "b"}]',
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    path = tmp_path / "labels.json"
    path.write_text(text)

    with pytest.raises(LabelSetError, match=r"labels\.json"):
        read_labels(path)


def test_labels_are_given_once(tmp_path: Path) -> None:
    """Neither or both of --labels and --file is a mistake."""
    path = tmp_path / "labels.txt"
    path.write_text("cat")

    for arguments in ((), ("--labels", "cat", "--file", path)):
        with pytest.raises(UsageError, match="give the labels once"):
            run(labels, "save", "pets", *arguments, "--gallery", tmp_path)


def test_templates_are_listed_and_shown() -> None:
    """All sets with their size, or the texts of one."""
    listed = run(labels, "templates").stdout.splitlines()

    assert listed[1].split()[:2] == ["name", "1"]
    assert len(listed) == 31
    assert run(labels, "templates", "food101").stdout == "a photo of {}, a type of food.\n"


def test_examples_from_folders_make_a_head_that_classify_uses(tmp_path: Path) -> None:
    """Yellow things are called blue here; the gain is printed with its interval."""
    gallery = saved(tmp_path / "g")
    data = write_shades(tmp_path / "data", "blue", 6, colour="yellow")
    write_shades(data, "red", 6)
    write_shades(data, "purple", 2, colour="black")
    (yellow,) = write_shades(tmp_path, "new", 1, colour="yellow").glob("new/*")
    before = shown(classify, yellow, "--label-set", "traffic", *gallery)
    text = run(labels, "add-examples", "traffic", data, *gallery)
    learnt = shown(labels, "add-examples", "traffic", data, *gallery)
    after = shown(classify, yellow, "--label-set", "traffic", *gallery)
    texts = shown(classify, yellow, "--label-set", "traffic", "--no-head", *gallery)

    assert "traffic@1 head 1: class_means" in text.stdout
    assert "gain" in text.stdout
    assert "2 of 14 pictures have none of the labels" in text.stderr
    assert (learnt["head"]["number"], learnt["head"]["examples"]) == (2, 12)
    assert after["head"] == {"number": 2, "kind": "class_means"}
    assert after["results"][0]["label"] == "blue"
    assert texts["results"] == before["results"]
    assert before["results"][0]["label"] != "blue"


def test_validation_images_may_be_given(tmp_path: Path) -> None:
    """They choose, and are no examples."""
    gallery = saved(tmp_path / "g")
    for name in ("train", "validation"):
        for colour in ("red", "blue"):
            write_shades(tmp_path / name, colour, 3)

    found = shown(
        labels,
        "add-examples",
        "traffic",
        tmp_path / "train",
        "--validation",
        tmp_path / "validation",
        "--head",
        "tip_adapter",
        *gallery,
    )["head"]

    assert (found["validation"], found["validation_images"], found["examples"]) == ("given", 6, 6)
    assert found["kind"] == "tip_adapter"


def test_calibration_gives_reasons_and_sets_to_classify(tmp_path: Path) -> None:
    """Known and unknown pictures in folders; the answers follow the fitted rule."""
    gallery = saved(tmp_path / "g")
    for colour in ("red", "green", "blue"):
        write_shades(tmp_path / "known", colour, 7)
    write_shades(tmp_path, "unknown", 8, colour="white")
    (white,) = write_shades(tmp_path / "new", "white", 1).glob("white/*")
    (red,) = write_shades(tmp_path / "new", "red", 1).glob("red/*")
    arguments = ("calibrate", "traffic", tmp_path / "known", "--unknown", tmp_path / "unknown")
    text = run(labels, *arguments, *gallery)
    fitted = shown(labels, *arguments, *gallery)["calibration"]
    answer = shown(classify, white, red, "--label-set", "traffic", "--alpha", "0.1", *gallery)
    always = shown(classify, white, "--label-set", "traffic", "--no-abstain", *gallery)
    printed = run(classify, white, red, "--label-set", "traffic", "--alpha", "0.1", *gallery)

    assert "21 images, 8 unknown" in text.stdout
    assert "ECE" in text.stdout
    assert (fitted["images"], fitted["unknown_images"], fitted["number"]) == (21, 8, 2)
    no_label, label = answer["results"]
    assert (no_label["label"], no_label["reason"]) == (None, fitted["rules"][0]["name"])
    assert (label["label"], label["calibrated"], label["prediction_set"]) == ("red", True, ["red"])
    assert always["results"][0]["label"] is not None
    assert f"no label ({no_label['reason']})" in printed.stderr
    assert "one of red" in printed.stderr


def test_pictures_without_any_of_the_labels_are_refused(tmp_path: Path) -> None:
    """The message says how folders are named."""
    gallery = saved(tmp_path / "g")
    data = write_shades(tmp_path / "data", "white", 1)

    with pytest.raises(PairsError, match="name a sub-folder like each label"):
        run(labels, "add-examples", "traffic", data, *gallery)


def test_classify_takes_rules_views_and_ensembles(tmp_path: Path) -> None:
    """Each rule of its own names itself; five views are averaged."""
    (red,) = write_shades(tmp_path, "red", 1).glob("red/*")
    base = (red, "--labels", "red,green", "--templates", "name")
    rules = {
        "min_cosine": ("--min-cosine", "1"),
        "min_score": ("--min-score", "1", "--temperature", "50"),
        "min_margin": ("--min-margin", "1", "--temperature", "50"),
        "max_energy": ("--max-energy", "-1000"),
    }

    for name, options in rules.items():
        assert shown(classify, *base, *options)["results"][0]["reason"] == name
    for options in (("--crops", "5"), ("--ensemble", "max")):
        assert shown(classify, *base, *options)["results"][0]["label"] == "red"
