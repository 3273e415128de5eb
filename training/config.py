"""The settings of a run: read from a TOML recipe, overridden by ``--set section.key=value``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.config import from_mapping, read_toml, with_overrides
from core.types import JSONObject, JSONValue
from training.augmentation import AugmentationConfig
from training.open_clip_model import ModelConfig
from training.optimiser import OptimiserConfig
from training.ranges import check_positive, check_range
from training.schedule import ScheduleConfig

Device = Literal["auto", "cpu", "cuda"]
TrainingPrecision = Literal["float32", "bfloat16"]
BestMetric = Literal["mrr", "hit@1", "hit@5", "hit@10"]
CacheKind = Literal["auto", "memory", "disk", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """How pairs become batches."""

    batch_size: int = 256
    """Pairs per step, which is also the number of negatives plus one; as many as memory takes."""
    drop_last: bool = True
    """Leave out the last, smaller batch of an epoch: fewer negatives change the loss's scale."""
    image_column: str = ""
    """Column of the image path in CSV and TSV; empty tries the usual names."""
    caption_column: str = ""
    """Column of the caption in CSV and TSV; empty tries the usual names."""
    workers: int = 1
    """Threads that prepare batches ahead; changes the speed, never the result."""
    cache: CacheKind = "auto"
    """Where decoded pictures are kept; ``auto`` is memory up to the limit, else off."""
    cache_limit_mb: float = 2048
    """Most memory or disk for decoded pictures, in MB (10^6 bytes)."""
    decode_margin: float = 1.15
    """Side of a decoded picture over the model's: a random crop of it still has enough pixels."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Random changes of the pictures."""

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be."""
        check_range("data.batch_size", self.batch_size, low=2)
        check_range("data.workers", self.workers, low=0, high=256)
        check_positive("data.cache_limit_mb", self.cache_limit_mb)
        check_range("data.decode_margin", self.decode_margin, low=1, high=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Where a run computes, how often it reports, and what it keeps."""

    seed: int = 0
    """Seed of initialisation, order, augmentation, caption choice and dropout."""
    device: Device = "auto"
    """``auto`` takes a CUDA device where there is one."""
    precision: TrainingPrecision = "float32"
    """Of the towers; weights and loss stay float32. ``bfloat16`` halves memory on a GPU."""
    threads: int = 0
    """CPU threads of torch; 0 leaves its default. Another number may change the last bits."""
    log_every_steps: int = 10
    """Steps between two lines of metrics.jsonl."""
    evaluate_every_steps: int = 0
    """Steps between two evaluations; 0 evaluates at the end of every epoch."""
    evaluate_batch: int = 256
    """Items embedded at once in an evaluation."""
    checkpoint_every_steps: int = 0
    """Steps between two checkpoints; 0 writes one at the end of every epoch."""
    keep_checkpoints: int = 2
    """Newest checkpoints that stay on disk, besides the best weights."""
    best_metric: BestMetric = "mrr"
    """Mean over both directions that decides which weights are best; MRR moves most smoothly."""

    def __post_init__(self) -> None:
        """Refuse negative intervals and counts."""
        check_range("run.seed", self.seed, low=0)
        check_range("run.threads", self.threads, low=0, high=1024)
        check_range("run.log_every_steps", self.log_every_steps, low=1)
        check_range("run.evaluate_every_steps", self.evaluate_every_steps, low=0)
        check_range("run.evaluate_batch", self.evaluate_batch, low=1)
        check_range("run.checkpoint_every_steps", self.checkpoint_every_steps, low=0)
        check_range("run.keep_checkpoints", self.keep_checkpoints, low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides a run, besides its data."""

    data: DataConfig = field(default_factory=DataConfig)
    """Pairs to batches."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Which towers, and from which weights."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """How weights move."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """How long, and at which rate."""
    run: RunConfig = field(default_factory=RunConfig)
    """Where, and what is kept."""


FREE_SETTINGS = frozenset(
    {
        "data.workers",
        "data.cache",
        "data.cache_limit_mb",
        "run.device",
        "run.threads",
        "run.log_every_steps",
        "run.evaluate_every_steps",
        "run.evaluate_batch",
        "run.checkpoint_every_steps",
        "run.keep_checkpoints",
    }
)
"""Settings that a resumed run may change, because no update depends on them."""


def load_config(recipe: Path | None, overrides: Mapping[str, str]) -> TrainConfig:
    """Read a recipe (``None``: all defaults) and apply ``section.key`` overrides.

    Raises:
        ConfigError: an unknown key, or a value out of range; the message names file and key.
    """
    config = TrainConfig()
    if recipe is not None:
        config = from_mapping(TrainConfig, read_toml(recipe), where=str(recipe))
    return with_overrides(config, overrides, where="--set")


def to_json(config: TrainConfig) -> JSONObject:
    """Return the resolved settings as nested JSON."""
    return {name: _json_value(value) for name, value in dataclasses.asdict(config).items()}


def update_settings(config: TrainConfig) -> JSONObject:
    """Return the settings on which the updates depend, flat, under their dotted names."""
    flat: JSONObject = {}
    for section, table in to_json(config).items():
        assert isinstance(table, dict)
        flat.update({f"{section}.{key}": value for key, value in table.items()})
    return {name: value for name, value in flat.items() if name not in FREE_SETTINGS}


def _json_value(value: object) -> JSONValue:
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
