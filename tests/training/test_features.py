"""Rules of training.features: training from stored embeddings is the training it replaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ConfigError
from core.pairs.reading import read_pairs
from tests.training.merging.models import CONFIG
from tests.training.tiny import write_shapes
from training.config import TrainConfig
from training.data.augmentation import AugmentationConfig
from training.data.batches import TrainingData
from training.data.config import DataConfig
from training.data.feature_cache import FeatureCache
from training.data.feature_config import FeatureConfig
from training.data.heldout import evaluate
from training.data.pair_dataset import HeldOutPairs, PairDataset, PairSource
from training.features import LockedTowers, computed_sides
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.schedule import ScheduleConfig
from training.step import StepConfig, Stepper
from training.towers.computed import FeatureTowers, Side
from training.towers.config import TowerConfig, TowersConfig
from training.towers.forward import TwoTowers
from training.towers.locking import lock_tower
from training.towers.open_clip_model import BuiltModel, ModelConfig, build_model
from training.towers.parts import tower_parts
from training.world import World
from training.zero_shot import label_task

CPU = torch.device("cpu")
CONFIGURED = DataConfig(batch_size=6, workers=1, augmentation=AugmentationConfig(enabled=False))


def model_with_locked(sides: frozenset[Side]) -> BuiltModel:
    """Build the same tiny model each time, some of its towers locked whole."""
    built = build_model(ModelConfig(architecture=CONFIG), seed=0)
    for side in sides:
        lock_tower(tower_parts(built.model).tower(side))
    return built


def source_of(built: BuiltModel) -> PairSource:
    """Return how pictures and captions become tensors, without augmentation."""
    return PairSource(built.preprocessing, built.tokenizer, CONFIGURED)


def losses(towers: TwoTowers, data: TrainingData, *, steps: int = 6) -> list[float]:
    """Train for some steps on the same pairs and return the loss of each."""
    parameters = [value for value in towers.parameters() if value.requires_grad]
    stepper = Stepper(
        towers,
        ContrastiveLoss(LossConfig(), World.single()),
        torch.optim.SGD(parameters),
        device=CPU,
        config=StepConfig(),
        world=World.single(),
    )
    towers.train()
    found = []
    for number in range(steps):
        indices = np.random.default_rng(number).permutation(len(data))[:6]
        batch = data.batch(indices, epoch=number)
        found.append(stepper.step(batch, number=number, learning_rate=0.3).loss)
    return found


@pytest.mark.parametrize(
    "sides", [frozenset({"image"}), frozenset({"text"}), frozenset({"image", "text"})]
)
def test_losses_and_metrics_equal_those_without_the_cache(
    tmp_path: Path, sides: frozenset[Side]
) -> None:
    """The locked towers see nothing random, so only the rounding of batches differs."""
    pairs = read_pairs(write_shapes(tmp_path / "p", per_kind=2, seed=0))
    plain = model_with_locked(sides)
    plain_towers = TwoTowers(plain.model, plain.preprocessing)
    plain_losses = losses(plain_towers, PairDataset(pairs, source_of(plain)))
    heldout = HeldOutPairs(pairs, source_of(plain))

    built = model_with_locked(sides)
    cache = FeatureCache(tmp_path / "cache", workers=1)
    locked = LockedTowers(built, CPU, cache, sides)
    data = locked.open_pairs(pairs, source_of(built))
    features = locked.heldout(heldout, batch_size=4)
    towers = FeatureTowers(built.model, built.preprocessing, computed=sides)

    assert losses(towers, data) == pytest.approx(plain_losses, rel=1e-5)
    if sides != {"image", "text"}:
        assert plain_losses[-1] < plain_losses[0]
    labels = label_task([pair.id.split("-")[0] for pair in pairs], plain.tokenizer, ("a {}",))
    assert labels is not None
    expected = evaluate(plain_towers, heldout, batch_size=4, device=CPU, labels=labels)
    embedded = locked.labels(labels, batch_size=4)
    metrics = evaluate(towers, features, batch_size=4, device=CPU, labels=embedded)
    assert metrics == pytest.approx(expected, abs=1e-6)
    assert "zero_shot_accuracy" in metrics


def test_the_cache_survives_the_training_of_the_other_tower(tmp_path: Path) -> None:
    """LiT from the second run on costs only the text tower, also without the pictures."""
    pairs = read_pairs(write_shapes(tmp_path / "p", per_kind=1, seed=0))
    sides: frozenset[Side] = frozenset({"image"})
    cache = FeatureCache(tmp_path / "cache")
    built = model_with_locked(sides)
    locked = LockedTowers(built, CPU, cache, sides)
    data = locked.open_pairs(pairs, source_of(built))
    losses(FeatureTowers(built.model, computed=sides), data)
    for pair in pairs:
        Path(str(pair.image)).unlink()

    again = locked.open_pairs(pairs, source_of(built))

    assert again.skipped == {}
    assert again.fingerprint == data.fingerprint
    assert np.isfinite(losses(FeatureTowers(built.model, computed=sides), again)).all()


LOCKED = TowerConfig(mode="locked")


def config(towers: TowersConfig, *, cache: bool, sizes: tuple[int, ...] = ()) -> TrainConfig:
    """Return a recipe with these towers."""
    features = FeatureConfig(cache=cache)
    schedule = ScheduleConfig(image_sizes=sizes)
    return TrainConfig(data=DataConfig(features=features), towers=towers, schedule=schedule)


@pytest.mark.parametrize(
    ("towers", "sides"),
    [
        (TowersConfig(image=LOCKED), {"image"}),
        (TowersConfig(text=LOCKED), {"text"}),
        (TowersConfig(image=LOCKED, text=LOCKED), {"image", "text"}),
        (TowersConfig(image=LOCKED, text=TowerConfig(mode="locked", unlocked_layers=1)), {"image"}),
    ],
)
def test_towers_that_are_locked_whole_are_computed_once(
    towers: TowersConfig, sides: set[Side]
) -> None:
    """Not those of which a part still trains."""
    assert computed_sides(config(towers, cache=True)) == sides
    assert computed_sides(config(towers, cache=False)) == frozenset()


@pytest.mark.parametrize(
    "tower", [TowerConfig(), TowerConfig(mode="locked", train_projection=True)]
)
def test_a_cache_without_a_locked_tower_is_refused(tower: TowerConfig) -> None:
    """Embeddings of a tower that learns would be wrong after one step."""
    with pytest.raises(ConfigError, match=r"towers\.image\.mode = locked"):
        computed_sides(config(TowersConfig(image=tower), cache=True))


def test_pictures_that_change_their_size_are_not_cached() -> None:
    """An image tower that is locked sees each size differently; a text tower does not."""
    with pytest.raises(ConfigError, match="image_sizes"):
        computed_sides(config(TowersConfig(image=LOCKED), cache=True, sizes=(16, 32)))
    text = config(TowersConfig(text=LOCKED), cache=True, sizes=(16, 32))
    assert computed_sides(text) == {"text"}


def test_augmentation_and_plain_features_are_refused(tmp_path: Path) -> None:
    """Before any picture is embedded; views are the other way."""
    pairs = read_pairs(write_shapes(tmp_path / "p", per_kind=1, seed=0))
    sides: frozenset[Side] = frozenset({"image"})
    built, cache = model_with_locked(sides), FeatureCache(tmp_path / "cache")
    locked = LockedTowers(built, CPU, cache, sides)
    augmented = DataConfig(features=FeatureConfig(cache=True))
    source = PairSource(built.preprocessing, built.tokenizer, augmented)

    with pytest.raises(ConfigError, match=r"features\.views = 4"):
        locked.open_pairs(pairs, source)

    views = DataConfig(features=FeatureConfig(cache=True, views=2))
    data = locked.open_pairs(pairs, replace(source, config=views))
    shown = {data.batch(np.array([0]), epoch=epoch).images.numpy().tobytes() for epoch in range(16)}
    assert len(shown) == 2
