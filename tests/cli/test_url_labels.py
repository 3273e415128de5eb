"""Rules of ``--url`` for labels: the same output, be they made here or by a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import served_fitting
from tests.cli.runs import Run
from tests.fakes import COLOURS, picture_bytes


@pytest.mark.parametrize(
    "options",
    [
        ["--labels", "red,green,a blue thing", "--top", "2"],
        ["--labels", "red,green", "--mode", "multi", "--templates", "single"],
        ["--labels", "red,green", "--min-margin", "0.99", "--temperature", "50"],
        ["--labels", "red,green", "--ensemble", "max", "--crops", "5"],
        ["--labels", "cat,dog", "--no-abstain"],
    ],
    ids=lambda options: " ".join(options)[:40],
)
def test_classify_prints_the_same(
    run: Run, served: tuple[Path, str], pictures: Path, options: list[str]
) -> None:
    """A folder with a corrupt file: as a table and as JSON, with scores to the last digit."""
    folder, url = served
    words = ["classify", pictures, *options]

    local, remote = run(*words, "--gallery", folder), run(*words, "--url", url)
    local_json = run(*words, "--gallery", folder, "--json")
    remote_json = run(*words, "--url", url, "--json")

    assert local == remote
    assert local_json == remote_json
    assert local[0] == 0
    assert "corrupt.jpg: the JPEG picture" in local[2]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["corrupt.jpg", "--labels", "cat"], 1),
        (["missing.jpg", "--labels", "cat"], 1),
        (["red.png"], 2),
        (["red.png", "--labels", "a", "--label-set", "b"], 2),
        (["red.png", "--labels", "cat,cat"], 2),
        (["red.png", "--labels", "cat", "--templates", "none"], 2),
        (["red.png", "--label-set", "nobody"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failing_classify_is_the_same(
    run: Run, served: tuple[Path, str], pictures: Path, options: list[str], code: int
) -> None:
    """Exit code and message, whoever noticed it."""
    folder, url = served
    words = ["classify", pictures / options[0], *options[1:]]

    local, remote = run(*words, "--gallery", folder), run(*words, "--url", url)

    assert local == remote
    assert local[0] == code


def test_labels_are_saved_listed_and_shown_alike(run: Run, own: str, tmp_path: Path) -> None:
    """As text and as JSON; the label set that was saved then labels."""
    commands = [
        ["save", "two", "--labels", "red,blue", "--background", "else"],
        ["save", "two", "--labels", "red,green", "--concept", "hue"],
        ["list"],
        ["list", "--json"],
        ["show", "two@1"],
        ["show", "two", "--json"],
        ["show", "nobody"],
    ]

    local, remote = (
        [run("labels", *words, *where) for words in commands]
        for where in (["--gallery", str(tmp_path / "g")], ["--url", own])
    )

    assert [code for code, _, _ in remote] == [0, 0, 0, 0, 0, 0, 1]
    for ours, theirs in zip(local, remote, strict=True):
        assert ours[:2] == theirs[:2]
    assert local[-1] == remote[-1]


def write_labelled(folder: Path, pictures: dict[str, str]) -> Path:
    """Write five pictures near a colour into a folder of each label."""
    for label, colour in pictures.items():
        (folder / label).mkdir(parents=True)
        for place in range(5):
            red, green, blue = COLOURS[colour]
            shade = (abs(red - 11 * place), abs(green - 5 * place), abs(blue - 23 * place))
            data = picture_bytes(shade)
            (folder / label / f"{place}.png").write_bytes(data)
    return folder


@pytest.mark.slow
def test_label_sets_learn_and_are_calibrated_alike(run: Run, own: str, tmp_path: Path) -> None:
    """Heads, rules and prediction sets are the same, to the last digit, as text and as JSON."""
    data = write_labelled(tmp_path / "data", {"red": "red", "blue": "yellow", "else": "black"})
    (data / "red" / "bad.png").write_bytes(b"no picture")
    other = write_labelled(tmp_path / "other", {"red": "red", "blue": "blue"})
    unknown = write_labelled(tmp_path / "unknown", {"white": "white"})
    commands: list[list[object]] = [
        ["save", "two", "--labels", "red,blue", "--templates", "name"],
        ["add-examples", "two", data],
        ["add-examples", "two", data, "--head", "class_means", "--replace", "--json"],
        ["calibrate", "two", other, "--unknown", unknown],
        ["calibrate", "two", other, "--mode", "multi"],
        ["calibrate", "two", other, "--unknown", unknown, "--replace", "--json"],
        ["add-examples", "two", unknown],
        ["calibrate", "nobody", other],
    ]

    local, remote = (
        [run("labels", *words, *where) for words in commands]
        for where in (["--gallery", str(tmp_path / "g")], ["--url", own])
    )

    assert [code for code, _, _ in remote] == [0, 0, 0, 0, 0, 0, 2, 1]
    assert [ours[1] for ours in local] == [theirs[1] for theirs in remote]
    assert [ours[2] for ours in local[-2:]] == [theirs[2] for theirs in remote[-2:]]
    assert "bad.png: " in remote[1][2]
    assert "5 of 16 pictures have none of the labels" in remote[1][2]
    assert "two@1 head 1: class_means" in remote[1][1]


def test_many_pictures_are_learnt_in_parts(
    run: Run, own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them count, the last part chooses the head, and --replace forgets only once."""
    monkeypatch.setattr(served_fitting, "PART_IMAGES", 4)
    data = write_labelled(tmp_path / "data", {"red": "red", "blue": "yellow"})
    other = write_labelled(tmp_path / "other", {"red": "green", "blue": "blue"})
    unknown = write_labelled(tmp_path / "unknown", {"white": "white"})
    for path in (data / "red").iterdir():
        (data / "red" / f"broken-{path.name}").write_bytes(b"")
    where = ["--url", own, "--json"]
    run("labels", "save", "two", "--labels", "red,blue", "--templates", "name", *where)

    words = ["labels", "add-examples", "two", data, "--head", "class_means", "--replace", *where]
    heads = [json.loads(run(*words)[1])["head"] for _ in range(2)]
    words = ["labels", "calibrate", "two", other, "--unknown", unknown, "--replace", *where]
    fitted = json.loads(run(*words)[1])["calibration"]

    assert [head["examples"] for head in heads] == [10, 10]
    assert [head["kind"] for head in heads] == ["class_means", "class_means"]
    assert heads[1]["number"] > heads[0]["number"] > 1
    assert (fitted["images"], fitted["unknown_images"]) == (10, 5)


def test_parts_begin_with_one_picture_of_each_label() -> None:
    """Pictures of none of the labels come last."""
    labels = ["red", "red", "red", None, "blue", "blue", None]

    assert served_fitting.spread(labels) == [0, 4, 1, 5, 2, 3, 6]


def test_validation_pictures_cannot_be_sent(run: Run, own: str, tmp_path: Path) -> None:
    """The service holds examples out in turn; the message says where validation works."""
    words = ["labels", "add-examples", "two", tmp_path, "--validation", tmp_path, "--url", own]

    code, _, message = run(*words)

    assert code == 2
    assert "run it on the server's machine" in message
