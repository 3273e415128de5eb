"""The settings of a run: read from a TOML recipe, overridden by ``--set section.key=value``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.config import from_mapping, read_toml, with_overrides
from core.errors import ConfigError
from core.types import JSONObject, JSONValue
from training.data.config import DataConfig
from training.data.heldout import BestMetric
from training.devices import Device
from training.early_stopping import EarlyStoppingConfig
from training.logs.sink import LoggerName, TrackingConfig
from training.losses.config import LossConfig
from training.optimiser import OptimiserConfig
from training.ranges import check_range
from training.schedule import ScheduleConfig
from training.step import TrainingPrecision
from training.towers.config import TowersConfig
from training.towers.open_clip_model import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Where a run computes, how often it reports, and what it keeps."""

    seed: int = 0
    """Seed of initialisation, order, augmentation, caption choice and dropout."""
    device: Device = "auto"
    """``auto`` takes a CUDA device where there is one."""
    precision: TrainingPrecision = "float32"
    """Of the towers; weights and loss stay float32. ``bfloat16`` halves memory on a GPU."""
    chunk_size: int = 0
    """Pairs of a batch that go through the towers at once; 0: all. Smaller chunks take less memory
    and give the same gradients."""
    graph_memory_mb: float = 0
    """Memory for graphs of chunks that need not be computed twice, in MB (10^6 bytes); 0: on CUDA
    half of what is free, on a CPU one chunk."""
    compile: bool = False
    """Train through ``torch.compile``: for GPUs; on a CPU it gains nothing. The first steps build
    the towers, which takes a minute or two. Not with ``shard``."""
    shard: bool = False
    """With several processes: split weights and optimiser state over them (FSDP2) instead of a copy
    on each; for models that do not fit on one device. Not with ``float16``."""
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
    """What decides which weights are best: a mean over both directions, of which MRR moves most
    smoothly, or the accuracy on the labels of the held-out pairs."""
    zero_shot_templates: tuple[str, ...] = ("imagenet7",)
    """Prompts of the classes of labelled held-out pairs: the name of a template set, or texts with
    ``{}``."""
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    """When a run ends before its horizon."""
    loggers: tuple[LoggerName, ...] = ()
    """Services besides ``metrics.jsonl`` and TensorBoard: ``wandb``, ``mlflow``."""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    """How the run shows in those services."""
    ema_decay: float = 0.0
    """Decay per step of a moving average of the weights, which is then what is evaluated, kept as
    the best and exported; 0.999 averages about 1,000 steps, 0 is off."""

    def __post_init__(self) -> None:
        """Refuse negative intervals and counts."""
        check_range("run.seed", self.seed, low=0)
        if self.shard and self.precision == "float16":
            raise ConfigError("run.shard cannot be used with run.precision = float16; use bfloat16")
        if self.shard and self.compile:
            raise ConfigError("run.shard cannot be used with run.compile; switch one of them off")
        check_range("run.chunk_size", self.chunk_size, low=0)
        check_range("run.graph_memory_mb", self.graph_memory_mb, low=0)
        check_range("run.threads", self.threads, low=0, high=1024)
        check_range("run.log_every_steps", self.log_every_steps, low=1)
        check_range("run.evaluate_every_steps", self.evaluate_every_steps, low=0)
        check_range("run.evaluate_batch", self.evaluate_batch, low=1)
        check_range("run.checkpoint_every_steps", self.checkpoint_every_steps, low=0)
        check_range("run.keep_checkpoints", self.keep_checkpoints, low=1)
        check_range("run.ema_decay", self.ema_decay, low=0, high=0.999999)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides a run, besides its data."""

    data: DataConfig = field(default_factory=DataConfig)
    """Pairs to batches."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Which towers, and from which weights."""
    towers: TowersConfig = field(default_factory=TowersConfig)
    """What of each tower is trained."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimised."""
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
        "run.graph_memory_mb",
        "run.shard",
        "run.threads",
        "run.log_every_steps",
        "run.evaluate_every_steps",
        "run.evaluate_batch",
        "run.checkpoint_every_steps",
        "run.keep_checkpoints",
        "run.early_stopping",
        "run.loggers",
        "run.tracking",
        "data.image_root",
        "towers.image.gradient_checkpointing",
        "towers.text.gradient_checkpointing",
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
    flat = dict(_flattened(to_json(config), prefix=""))
    return {
        name: value
        for name, value in flat.items()
        if not any(name == free or name.startswith(f"{free}.") for free in FREE_SETTINGS)
    }


def _flattened(table: JSONObject, *, prefix: str) -> Iterator[tuple[str, JSONValue]]:
    for key, value in table.items():
        # An architecture is one value: its tables are not settings of ours.
        if isinstance(value, dict) and key != "architecture":
            yield from _flattened(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _json_value(value: object) -> JSONValue:
    if isinstance(value, Mapping):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
