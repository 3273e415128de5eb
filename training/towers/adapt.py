"""Apply the tower settings of a recipe to a built model."""

from __future__ import annotations

from torch import nn

from training.towers.batch_norm import freeze_batch_norm
from training.towers.checkpointing import enable_gradient_checkpointing
from training.towers.config import TowerConfig, TowersConfig
from training.towers.locking import lock_tower
from training.towers.lora import add_lora
from training.towers.parts import Tower, tower_parts
from training.towers.patch_dropout import set_patch_dropout


def adapt_towers(model: nn.Module, towers: TowersConfig, *, seed: int) -> None:
    """Lock, extend and equip the towers of a model as the recipe says, in place, once.

    Logit scale and bias are left alone: they train. With the default settings nothing changes.
    Afterwards, build the optimiser; ``merged_state_dict`` gives the weights to export.

    Raises:
        ConfigError: the architecture cannot do what a setting asks.
    """
    if towers.image.patch_dropout:
        set_patch_dropout(model, towers.image.patch_dropout)
    for name, config in towers.items():
        if config != TowerConfig():
            _adapt(model, tower_parts(model).tower(name), config, seed=seed)


def _adapt(model: nn.Module, tower: Tower, config: TowerConfig, *, seed: int) -> None:
    if config.mode == "locked":
        lock_tower(
            tower,
            unlocked_layers=config.unlocked_layers,
            train_projection=config.train_projection,
        )
    if config.mode == "lora":
        add_lora(tower, config, seed=seed)
    if config.freeze_batch_norm:
        for module in tower.modules:
            freeze_batch_norm(module)
    if config.gradient_checkpointing:
        enable_gradient_checkpointing(model, tower.name)
