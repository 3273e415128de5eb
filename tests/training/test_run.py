"""Rules of a whole run, from pairs on disk to a model folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch

from core.errors import ConfigError, ConflictError, PairsError
from tests.training.tiny import write_shapes
from tests.training.towers.test_open_clip_model import TINY_TIMM
from training.checkpoint import read_checkpoint
from training.config import RunConfig, TrainConfig
from training.data.augmentation import AugmentationConfig
from training.data.config import DataConfig
from training.data.feature_config import FeatureConfig
from training.losses.config import LossConfig
from training.optimiser import OptimiserConfig
from training.run import TrainRequest, run_training
from training.run_record import git_commit
from training.schedule import ScheduleConfig
from training.towers.config import TowerConfig, TowersConfig
from training.towers.open_clip_model import ModelConfig


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
    return TrainRequest(data=[data], heldout=heldout, config=config, folder=folder / "run")


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
    asked = replace(request(tmp_path), data=[tmp_path / "nowhere.csv"])

    with pytest.raises(PairsError, match=r"nowhere\.csv does not exist"):
        run_training(asked)

    assert not (tmp_path / "run").exists()


def test_a_folder_outside_git_has_no_commit(tmp_path: Path) -> None:
    """An installed package has no commit to name."""
    assert git_commit(tmp_path) is None


def test_several_sources_are_mixed_by_weight(tmp_path: Path) -> None:
    """Two data sets, weights 1 and 2: one run over both, with the pairs of both counted."""
    asked = request(tmp_path)
    other = write_shapes(tmp_path / "other", per_kind=2, seed=5)
    data = replace(asked.config.data, weights=(1.0, 2.0))
    asked = replace(asked, data=[*asked.data, other], config=replace(asked.config, data=data))

    outcome = run_training(asked)

    assert outcome.num_pairs == 9 + 18
    assert outcome.result.steps == 3
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(record["data"]["train"]) == 2
    assert record["sessions"][0]["status"] == "finished"


def test_a_part_of_the_pairs_is_held_out(tmp_path: Path) -> None:
    """Without held-out pairs of its own a run judges by a part that it does not train on."""
    asked = request(tmp_path, per_kind=4)
    data = replace(asked.config.data, heldout_fraction=0.3, batch_size=4)
    # Every picture of a kind has the same captions and would be one group.
    lines = [json.loads(line) for line in asked.data[0].read_text().splitlines()]
    for number, line in enumerate(lines):
        line["captions"] = [f"picture number {number}"]
    asked.data[0].write_text("\n".join(json.dumps(line) for line in lines))
    asked = replace(asked, heldout=None, config=replace(asked.config, data=data))

    outcome = run_training(asked)

    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert outcome.num_pairs + record["data"]["heldout_images"] == 36
    assert record["data"]["heldout_images"] > 3
    assert outcome.result.metrics["text_to_image_hit@10"] > 0


@pytest.mark.slow
def test_a_locked_tower_trains_from_its_features(tmp_path: Path) -> None:
    """LiT: with the cache the losses are those without it, and a second run reads no picture."""
    asked = request(tmp_path)
    plain = replace(asked.config.data, augmentation=AugmentationConfig(enabled=False))
    locked = replace(
        asked.config, data=plain, towers=TowersConfig(image=TowerConfig(mode="locked"))
    )
    cached = replace(locked, data=replace(plain, features=FeatureConfig(cache=True)))

    without = run_training(replace(asked, config=locked, folder=tmp_path / "without"))
    first = run_training(replace(asked, config=cached, folder=tmp_path / "first"))
    for picture in (tmp_path / "train").glob("*.png"):
        picture.unlink()
    second = run_training(replace(asked, config=cached, folder=tmp_path / "second"))

    expected = read_checkpoint(without.result.last).weights
    for outcome in (first, second):
        found = read_checkpoint(outcome.result.last).weights
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5, msg=name)
    assert first.result.metrics == pytest.approx(without.result.metrics)


@pytest.mark.slow
def test_a_run_learns_from_a_teacher(tmp_path: Path) -> None:
    """Distillation from a finished run's own model: the teacher's embeddings are in the batches."""
    asked = request(tmp_path)
    teacher = run_training(asked).model
    data = replace(asked.config.data, teacher=f"local-dir:{teacher}")
    config = replace(asked.config, data=data, loss=LossConfig(distillation_weight=1.0))

    outcome = run_training(replace(asked, config=config, folder=tmp_path / "student"))

    log = (tmp_path / "student" / "metrics.jsonl").read_text().splitlines()
    plain = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert outcome.result.steps == 1
    # The same batch and weights: what is added is the cross-entropy with the teacher.
    assert json.loads(log[0])["loss"] > json.loads(plain[0])["loss"] + 1


@pytest.mark.parametrize(
    ("teacher", "weight", "message"),
    [("", 1.0, "needs data.teacher"), ("models/x", 0.0, "has no effect")],
)
def test_half_a_distillation_is_refused(
    tmp_path: Path, teacher: str, weight: float, message: str
) -> None:
    """A weight without a teacher, or a teacher without a weight."""
    asked = request(tmp_path)
    data = replace(asked.config.data, teacher=teacher)
    config = replace(asked.config, data=data, loss=LossConfig(distillation_weight=weight))

    with pytest.raises(ConfigError, match=message):
        run_training(replace(asked, config=config))
