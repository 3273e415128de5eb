"""Rules of ``sightline data``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.data import command
from core.errors import ConflictError, PairsError, UsageError
from core.pairs.reading import read_pairs
from tests.cli.test_main import sightline
from tests.fakes import picture_bytes
from tests.training.doctor.drawings import encoded, scene, write_pairs

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "configs" / "fine-tune-vit-b-32.toml"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Write four pictures; one is a small copy of another, and one line names no file."""
    files = {
        "a.png": encoded(scene(1, size=(240, 240))),
        "b.png": encoded(scene(2, size=(240, 240))),
        "c.png": encoded(scene(3, size=(240, 240))),
        "d.jpg": encoded(scene(1, size=(120, 120)), "JPEG", quality=85),
    }
    captions = {name: [f"the picture {name}"] for name in [*files, "gone.png"]}
    return write_pairs(tmp_path, files, captions)


def run(*arguments: str | Path) -> Result:
    """Run a sub-command; its errors are raised here as ``cli.main`` would see them."""
    return CliRunner().invoke(
        command, [str(item) for item in arguments], catch_exceptions=False, standalone_mode=False
    )


def test_the_report_fits_on_a_screen(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is, what is wrong with names, where to start; progress is on stderr."""
    monkeypatch.chdir(pairs.parent)

    done = run("check", pairs.name)

    assert done.return_value == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 110
    assert lines[0] == "pairs      5, of which 4 can be used"
    assert "  - 1 of 5 pictures cannot be used (1 missing); training skips them" in lines
    assert "      gone.png cannot be read: No such file or directory" in lines
    assert "look at pictures: 5/5 pictures" in done.stderr


def test_json_and_out_hold_the_same(pairs: Path, tmp_path: Path) -> None:
    """Strict JSON on stdout and in the file; the file is not overwritten."""
    target = tmp_path / "report.json"

    done = run("check", pairs, "--json", "--out", target)

    report = json.loads(done.stdout)
    assert report == json.loads(target.read_text())
    assert report["duplicates"]["alike"] == [["a.png", "d.jpg"]]
    assert [finding["level"] for finding in report["findings"]] == ["problem", "warning", "warning"]
    with pytest.raises(ConflictError, match="not overwritten"):
        run("check", pairs, "--out", target)


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [("kept", [], 0), ("kept", ["--strict"], 1), ("two", ["--strict"], 0), ("one", [], 1)],
)
def test_exit_codes(pairs: Path, name: str, arguments: list[str], code: int) -> None:
    """Problems count with ``--strict`` only, warnings never; nothing usable is always a failure."""
    lines = pairs.read_text().splitlines(keepends=True)
    chosen = {"kept": lines, "two": [lines[0], lines[3]], "one": lines[-1:]}[name]
    source = pairs.with_name(f"{name}.jsonl")
    source.write_text("".join(chosen))

    assert run("check", source, *arguments).return_value == code


def test_the_exit_code_reaches_the_shell(pairs: Path) -> None:
    """The group hands the number on."""
    assert sightline("data", "check", str(pairs), "--strict").returncode == 1


def test_leaks_are_named(pairs: Path) -> None:
    """The command that takes them out stands beside."""
    done = run("check", pairs, "--val", pairs)

    text = " ".join(done.stdout.split())
    assert "4 pairs with a picture of the held-out set (4 the same file, 0 alike)" in text
    assert f"sightline data dedup {pairs} --against {pairs}" in text


@pytest.mark.slow
def test_a_recipe_is_judged(pairs: Path) -> None:
    """Its batch is larger than the data."""
    done = run("check", pairs, "--config", RECIPE, "--json")

    report = json.loads(done.stdout)
    assert "batch_too_large" in [finding["code"] for finding in report["findings"]]
    assert report["truncation"]["context_length"] == 77


def test_a_recipe_names_its_own_model(pairs: Path) -> None:
    """Two models would be two answers."""
    with pytest.raises(UsageError, match="either --model or --config"):
        run("check", pairs, "--config", RECIPE, "--model", "models/x")


def test_dedup_keeps_the_larger_copy(pairs: Path, tmp_path: Path) -> None:
    """What stays is read again, what goes says why, and nothing is deleted."""
    target = tmp_path / "out" / "kept.jsonl"

    done = run("dedup", pairs, "--out", target)

    assert [pair.id for pair in read_pairs(target)] == ["a.png", "b.png", "c.png"]
    assert all(Path(str(pair.image)).is_file() for pair in read_pairs(target))
    dropped = [
        json.loads(line) for line in target.with_suffix(".dropped.jsonl").read_text().splitlines()
    ]
    assert [line["id"] for line in dropped] == ["d.jpg", "gone.png"]
    assert dropped[0]["reason"] == "duplicate of a.png"
    assert "a.png stands for d.jpg" in done.stdout
    assert "2 pairs (1 duplicates, 0 of the other set, 1 unusable)" in done.stdout
    assert (pairs.parent / "d.jpg").is_file()


def test_dedup_against_the_held_out_set(pairs: Path, tmp_path: Path) -> None:
    """What both have goes from the first."""
    heldout = write_pairs(
        tmp_path / "val", {"x.png": encoded(scene(2, size=(240, 240)))}, {"x.png": ["x"]}
    )

    done = run(
        "dedup", pairs, "--exact", "--against", heldout, "--out", tmp_path / "k.jsonl", "--json"
    )

    report = json.loads(done.stdout)
    assert report["dropped_for_the_other_set"] == 1
    assert [pair.id for pair in read_pairs(tmp_path / "k.jsonl")] == ["a.png", "c.png", "d.jpg"]


@pytest.mark.slow
def test_filter_keeps_what_fits(tmp_path: Path) -> None:
    """The starter model tells a red sheet from a blue one."""
    files = {"a.png": picture_bytes("red"), "b.png": picture_bytes("blue")}
    captions = {"a.png": ["a red square"], "b.png": ["a photo of an elephant"]}
    pairs = write_pairs(tmp_path, files, captions)

    done = run("filter", pairs, "--keep-fraction", "0.5", "--out", tmp_path / "kept.jsonl")

    assert [pair.id for pair in read_pairs(tmp_path / "kept.jsonl")] == ["a.png"]
    assert [pair.id for pair in read_pairs(tmp_path / "kept.dropped.jsonl")] == ["b.png"]
    report = json.loads((tmp_path / "kept.report.json").read_text())
    assert (report["model"], report["kept"], report["dropped"]) == ("starter", 1, 1)
    assert "kept     1 pairs" in done.stdout


def test_mistakes_are_explained_before_any_work(pairs: Path, tmp_path: Path) -> None:
    """A rule, a target and a source that make no sense."""
    with pytest.raises(UsageError, match="either --minimum-score or --keep-fraction"):
        run("filter", pairs, "--out", tmp_path / "kept.jsonl")
    with pytest.raises(ConflictError, match="not overwritten"):
        run("dedup", pairs, "--out", pairs)
    with pytest.raises(PairsError, match="does not exist"):
        run("dedup", tmp_path / "none.csv", "--out", tmp_path / "kept.jsonl")


def test_every_sub_command_helps_with_examples() -> None:
    """Each help text shows commands that can be copied."""
    for name in ("check", "filter", "dedup"):
        assert "Examples:\n" in run(name, "--help").stdout
