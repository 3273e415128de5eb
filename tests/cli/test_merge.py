"""Rules of ``sightline models merge``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.merge import parse_alphas
from cli.models import command
from core.errors import ConfigError
from tests.cli.test_main import ROOT, sightline
from tests.training.merging.models import tiny
from tests.training.tiny import write_shapes

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write two models and pairs, and go there."""
    tiny(tmp_path / "base", seed=0)
    tiny(tmp_path / "tuned", seed=1)
    write_shapes(tmp_path / "val", per_kind=1, seed=1, size=16)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def merge(*arguments: str) -> object:
    """Run the command inside this process."""
    return command.main(
        ["merge", "base", "tuned", "--device", "cpu", *arguments], standalone_mode=False
    )


@pytest.mark.slow
def test_a_sweep_prints_its_table_and_writes_a_model(world: Path) -> None:
    """A whole process: one row an alpha, one of them chosen, shares in the last line."""
    done = sightline(
        "models", "merge", "base", "tuned", "--val", "val/pairs.jsonl", "--keep", "val/pairs.jsonl",
        "--alphas", "0,0.5,1", "--out", "merged", cwd=world,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["alpha,", "val", "text>image", "hit@1"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "0.5", "1"]
    assert sum(line.endswith("*") for line in lines[1:4]) == 1
    assert lines[4].startswith("alpha, keep")
    assert lines[-1].startswith("merged: ")
    assert (world / "merged" / "open_clip_model.safetensors").is_file()


@pytest.mark.slow
def test_json_and_export(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` is strict JSON; ``--export`` writes a folder that serves without torch."""
    merge("--alpha", "0.25", "--out", "merged", "--export", "served", "--json")

    result = json.loads(capsys.readouterr().out)
    assert result["parts"] == {"base": 0.75, "tuned": 0.25}
    assert result["trials"] == []
    assert result["exported"] == "served"
    assert (world / "served" / "image.onnx").is_file()


def test_a_merge_names_what_it_wrote(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without pairs there is no table."""
    merge("--method", "uniform", "--out", "merged")

    assert capsys.readouterr().out == "merged: 0.5 x base, 0.5 x tuned\n"


def test_pairs_that_cannot_be_used_are_said(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest decides."""
    (world / "val" / "red-circle-0.png").write_bytes(b"")

    merge("--alpha", "0.5", "--val", "val/pairs.jsonl", "--out", "merged")

    assert "1 pairs could not be used; the first, red-circle-0.png" in capsys.readouterr().err


def test_alphas() -> None:
    """One, a list, or the default; never both."""
    assert parse_alphas(0.5, None) == (0.5,)
    assert parse_alphas(None, "0, 0.25,1") == (0.0, 0.25, 1.0)
    assert parse_alphas(None, None) == ()
    with pytest.raises(ConfigError, match="not both"):
        parse_alphas(0.5, "0,1")
    with pytest.raises(ConfigError, match="expected numbers"):
        parse_alphas(None, "0,half")


def test_without_torch_the_message_names_the_extra() -> None:
    """In a serving environment the command fails with the way to install what it needs."""
    script = (
        "import sys\n"
        "sys.modules['open_clip'] = None\n"
        "from cli.main import main\n"
        "sys.argv = ['sightline', 'models', 'merge', 'a', 'b', '--alpha', '1', '--out', 'x']\n"
        "main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 1
    assert done.stderr.startswith("sightline: this needs torch and open_clip")
