"""How each tower takes part: the sections ``[towers.image]`` and ``[towers.text]``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.errors import ConfigError
from training.ranges import check_positive, check_range

TowerMode = Literal["full", "locked", "lora"]
LoraTarget = Literal["attention", "mlp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TowerConfig:
    """What of one tower is trained, and how."""

    mode: TowerMode = "full"
    """``full`` trains every weight, ``locked`` none (but see ``unlocked_layers``), ``lora`` adds
    small matrices to locked weights."""
    unlocked_layers: int = 0
    """Of a locked tower, the last so many layers train, the projection with them; the stem counts
    as the first layer."""
    train_projection: bool = False
    """Of a locked or LoRA tower, the projection to the shared space trains too."""
    learning_rate_scale: float = 1.0
    """Times ``optimiser.learning_rate``; a pretrained tower beside a new one wants about 0.1."""
    layer_decay: float = 1.0
    """Each layer below the projection learns at this times the rate of the one above it; 1 is off,
    0.65 to 0.8 is usual for fine-tuning."""
    lora_rank: int = 8
    """Rank of the small matrices; 8 costs about 1 % of the weights of ViT-B."""
    lora_alpha: float = 16.0
    """The update is scaled by this over the rank, so that the rank may change alone."""
    lora_dropout: float = 0.0
    """Probability with which an input feature is left out of the update, drawn per layer and
    forward pass."""
    lora_targets: tuple[LoraTarget, ...] = ("attention", "mlp")
    """Which weight matrices of the layers get an update."""
    lora_train_norms: bool = False
    """Of a LoRA tower, the biases and norms train too; they are exported as they are."""
    patch_dropout: float = 0.0
    """Part of the patches of each picture that a training step leaves out, image tower only; 0.5
    about halves its cost. 0 leaves what the architecture says."""
    gradient_checkpointing: bool = False
    """Compute the inside of each block again in the backward pass: about a quarter more time, and
    memory for the inside of one block instead of all."""
    freeze_batch_norm: bool = False
    """Keep the running statistics of batch norm, and normalise with them, while training."""

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of the tower trains, so that its embeddings never change."""
        return self.mode == "locked" and not self.unlocked_layers and not self.train_projection


@dataclass(frozen=True, slots=True, kw_only=True)
class TowersConfig:
    """Both towers."""

    image: TowerConfig = field(default_factory=TowerConfig)
    """The tower of the pictures."""
    text: TowerConfig = field(default_factory=TowerConfig)
    """The tower of the captions."""

    def __post_init__(self) -> None:
        """Refuse values out of range, and settings that would have no effect."""
        for name, tower in self.items():
            _check_ranges(name, tower)
            _check_effects(name, tower)
        if self.text.patch_dropout:
            raise ConfigError(
                f"towers.text.patch_dropout = {self.text.patch_dropout:g}: captions have no "
                "patches; set towers.image.patch_dropout"
            )

    def items(self) -> tuple[tuple[str, TowerConfig], ...]:
        """Return (name, settings) of both towers."""
        return (("image", self.image), ("text", self.text))


def _check_ranges(name: str, tower: TowerConfig) -> None:
    section = f"towers.{name}"
    check_range(f"{section}.unlocked_layers", tower.unlocked_layers, low=0)
    check_positive(f"{section}.learning_rate_scale", tower.learning_rate_scale)
    check_positive(f"{section}.layer_decay", tower.layer_decay)
    check_range(f"{section}.layer_decay", tower.layer_decay, low=0, high=1)
    check_range(f"{section}.lora_rank", tower.lora_rank, low=1)
    check_positive(f"{section}.lora_alpha", tower.lora_alpha)
    check_range(f"{section}.lora_dropout", tower.lora_dropout, low=0, high=0.9)
    check_range(f"{section}.patch_dropout", tower.patch_dropout, low=0, high=0.95)
    if not tower.lora_targets:
        raise ConfigError(f"{section}.lora_targets is empty: name attention, mlp or both")


def _check_effects(name: str, tower: TowerConfig) -> None:
    section = f"towers.{name}"
    if tower.unlocked_layers and tower.mode != "locked":
        raise ConfigError(
            f"{section}.unlocked_layers = {tower.unlocked_layers} needs {section}.mode = locked, "
            f"not {tower.mode}"
        )
    if tower.train_projection and tower.mode == "full":
        raise ConfigError(
            f"{section}.train_projection needs {section}.mode = locked or lora; with full, "
            "everything trains"
        )
    if tower.mode != "lora" and (tower.lora_dropout or tower.lora_train_norms):
        raise ConfigError(
            f"{section}.lora_dropout and lora_train_norms need {section}.mode = lora, "
            f"not {tower.mode}"
        )
    if tower.mode == "locked" and not tower.unlocked_layers:
        for key, value in (
            ("patch_dropout", tower.patch_dropout),
            ("gradient_checkpointing", tower.gradient_checkpointing),
        ):
            if value:
                raise ConfigError(
                    f"{section}.{key} has no effect on a tower that is locked whole; remove it, "
                    f"or set {section}.unlocked_layers"
                )
