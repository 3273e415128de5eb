"""Rules of ``sightline train``."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.train import command, parse_overrides
from core.errors import ConfigError, SightlineError, TrainingError, UsageError
from tests.cli.test_main import ROOT, sightline
from tests.training.test_trainer import RecordingProgress
from tests.training.tiny import write_shapes

RECIPE = """
[data]
batch_size = 6
[model.architecture]
embed_dim = 8
[model.architecture.vision_cfg]
image_size = 16
layers = 1
width = 16
patch_size = 8
head_width = 8
[model.architecture.text_cfg]
context_length = 8
vocab_size = 49408
width = 16
heads = 2
layers = 1
[optimiser]
learning_rate = 1e-3
[schedule]
epochs = 2
[run]
device = "cpu"
threads = 1
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Write pairs and a recipe."""
    write_shapes(tmp_path / "train", per_kind=2, seed=1)
    write_shapes(tmp_path / "heldout", per_kind=1, seed=2)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.slow
def test_it_trains_and_names_the_next_command(world: Path) -> None:
    """The table is on stdout with chance beside it; where the model is stands on stderr."""
    done = sightline(
        "train", "train/pairs.jsonl", "--val", "heldout/pairs.jsonl", "--config", "tiny.toml",
        "--out", "runs/first", cwd=world,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "trained 6 of 6 steps on 18 pairs"
    assert lines[1].split() == ["held-out", "pairs,", "%", "hit@1", "hit@5", "hit@10"]
    assert lines[3].split() == ["text", "to", "image,", "by", "chance", "11.1", "55.6", "100.0"]
    assert "sightline models export local-dir:runs/first/model --out models/first" in done.stderr
    assert (world / "runs" / "first" / "model" / "open_clip_config.json").is_file()


def train(*arguments: str) -> object:
    """Run the command inside this process and return its exit code."""
    return command.main(
        ["train/pairs.jsonl", "--config", "tiny.toml", *arguments], standalone_mode=False
    )


@pytest.mark.slow
def test_json_and_export(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--json`` is strict JSON; ``--export`` writes a model folder that serves without torch."""
    monkeypatch.chdir(world)

    code = train("--out", "run", "--set", "schedule.epochs=1", "--export", "served", "--json")

    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert code == 0
    assert (result["steps"], result["horizon"], result["interrupted"]) == (3, 3, False)
    assert result["exported"] == "served"
    assert (world / "served" / "image.onnx").is_file()
    assert "sightline add PICTURES --model served" in shown.err


def test_skipped_pairs_are_named(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person sees which pictures are bad, and the run goes on."""
    monkeypatch.chdir(world)
    (world / "train" / "red-circle-0.png").write_bytes(b"")

    assert train("--out", "run") == 0

    shown = capsys.readouterr().err
    assert "skipped 1 pair, named in run/skipped.json" in shown
    assert "red-circle-0.png" in shown


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--set", "data.batch_size=600"], UsageError, "larger than the 18 training pairs"),
        (["--set", "data.batchsize=6"], UsageError, "did you mean 'batch_size'"),
        (["--set", "data.batch_size"], UsageError, "expected KEY=VALUE"),
        (["--resume"], TrainingError, "no checkpoint"),
    ],
)
def test_mistakes_are_explained(
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[SightlineError],
    message: str,
) -> None:
    """The error says what was wrong and what to do; the group turns it into an exit code."""
    monkeypatch.chdir(world)

    with pytest.raises(error, match=message):
        train("--out", "run", *arguments)


def test_an_interrupted_run_names_the_command_to_go_on(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C exits with 130 after a checkpoint, and ``--resume`` finishes the run."""
    monkeypatch.chdir(world)
    arguments = ["train/pairs.jsonl", "--config", "tiny.toml", "--out", "run"]
    monkeypatch.setattr(sys, "argv", ["sightline", "train", *arguments])
    # Eighteen pictures are decoded, then the second of six training steps is interrupted.
    monkeypatch.setattr("cli.train.terminal_progress", RecordingProgress(stop_after=20))

    assert train("--out", "run") == 130

    command_line = shlex.join(["sightline", "train", *arguments, "--resume"])
    assert command_line in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(world)
    assert train("--out", "run", "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 6


def test_values_may_hold_an_equals_sign() -> None:
    """Only the first one separates."""
    assert parse_overrides(["model.pretrained=/a=b.pt"]) == {"model.pretrained": "/a=b.pt"}
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_overrides(["seed"])


def test_without_torch_the_message_names_the_extra() -> None:
    """In a serving environment the command fails with the way to install what it needs."""
    script = (
        "import sys\n"
        "sys.modules['open_clip'] = None\n"
        "from cli.main import main\n"
        "sys.argv = ['sightline', 'train', 'x', '--config', 'c.toml', '--out', 'run']\n"
        "main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 1
    assert done.stderr.startswith("sightline: this needs torch and open_clip")
    assert "pip install -e '.[train]'" in done.stderr
