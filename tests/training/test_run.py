"""Rules of a whole run, from pairs on disk to a model folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest

from core.errors import ConflictError, PairsError
from tests.training.test_open_clip_model import TINY_TIMM
from tests.training.tiny import write_shapes
from training.config import DataConfig, RunConfig, TrainConfig
from training.open_clip_model import ModelConfig
from training.optimiser import OptimiserConfig
from training.run import TrainRequest, run_training
from training.run_record import git_commit
from training.schedule import ScheduleConfig


def request(folder: Path, *, epochs: int = 1, per_kind: int = 1) -> TrainRequest:
    """Return a run over coloured shapes with a tiny timm tower."""
    config = TrainConfig(
        data=DataConfig(batch_size=9, workers=1),
        model=ModelConfig(architecture=TINY_TIMM),
        optimiser=OptimiserConfig(learning_rate=3e-3, weight_decay=0.05),
        schedule=ScheduleConfig(epochs=epochs),
        run=RunConfig(device="cpu", threads=1, evaluate_every_steps=1000),
    )
    data = write_shapes(folder / "train", per_kind=per_kind, seed=1)
    heldout = write_shapes(folder / "heldout", per_kind=4, seed=2)
    return TrainRequest(data=data, heldout=heldout, config=config, folder=folder / "run")


@pytest.mark.slow
def test_shapes_are_learnt_far_beyond_chance(tmp_path: Path) -> None:
    """From pictures and captions alone, a minute of training tells colours and shapes apart."""
    asked = request(tmp_path, epochs=12, per_kind=30)
    asked = replace(asked, config=replace(asked.config, data=DataConfig(batch_size=30, workers=1)))

    outcome = run_training(asked)

    metrics = outcome.result.metrics
    assert metrics["text_to_image_chance_hit@1"] == pytest.approx(4 / 36)
    assert metrics["text_to_image_hit@1"] > 0.6
    assert metrics["image_to_text_hit@1"] > 0.6


def test_a_run_leaves_a_model_and_its_records(tmp_path: Path) -> None:
    """Settings, versions, data, metrics and an open_clip folder are in the folder of the run."""
    outcome = run_training(request(tmp_path))

    folder = tmp_path / "run"
    assert outcome.model == folder / "model"
    assert open_clip.create_model(f"local-dir:{outcome.model}").visual is not None
    settings = json.loads((folder / "config.json").read_text())
    record = json.loads((folder / "run.json").read_text())
    assert settings["optimiser"]["learning_rate"] == 3e-3
    assert settings["data"]["augmentation"]["crop_scale"] == [0.9, 1.0]
    assert record["seed"] == 0
    assert record["data"]["train_pairs"] == 9
    assert record["data"]["heldout_images"] == 36
    assert len(record["data"]["train_fingerprint"]) == 64
    assert set(record["versions"]) >= {"python", "torch", "open_clip_torch", "numpy"}
    assert outcome.num_distinct_captions == 18


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    """Immutable once written; resuming it changes nothing."""
    asked = request(tmp_path)
    first = run_training(asked)

    with pytest.raises(ConflictError, match="holds a finished run"):
        run_training(asked)

    assert run_training(replace(asked, resume=True)) == first


def test_skipped_pairs_are_named_on_disk(tmp_path: Path) -> None:
    """A corrupt picture costs its own pair and nothing else."""
    asked = request(tmp_path, per_kind=2)
    (tmp_path / "train" / "red-circle-0.png").write_bytes(b"no picture")

    outcome = run_training(asked)

    assert outcome.num_pairs == 17
    assert list(outcome.skipped) == ["red-circle-0.png"]
    skipped = json.loads((tmp_path / "run" / "skipped.json").read_text())
    assert skipped == outcome.skipped


def test_a_data_set_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    """The error names the path, and no folder is made."""
    asked = replace(request(tmp_path), data=tmp_path / "nowhere.csv")

    with pytest.raises(PairsError, match=r"nowhere\.csv does not exist"):
        run_training(asked)

    assert not (tmp_path / "run").exists()


def test_a_folder_outside_git_has_no_commit(tmp_path: Path) -> None:
    """An installed package has no commit to name."""
    assert git_commit(tmp_path) is None
