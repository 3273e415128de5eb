"""Rules of ``--url`` for labels: the same output, be they made here or by a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runs import Run


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
