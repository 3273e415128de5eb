"""Gradient checkpointing: blocks whose insides are computed again in the backward pass."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from core.errors import ConfigError
from training.towers.batch_norm import has_batch_norm
from training.towers.parts import Tower, tower_parts


def enable_gradient_checkpointing(model: nn.Module, tower_name: str) -> None:
    """Checkpoint every block of a tower while it trains; gradients stay as they are.

    Dropout draws the same numbers in both passes. Call it after locking: batch norm that counts
    its statistics would count each batch twice.

    Raises:
        ConfigError: the tower repeats no blocks, cannot do it, or has batch norm that counts.
    """
    tower = tower_parts(model).tower(tower_name)
    _refuse_counting_batch_norm(tower)
    if tower.blocks:
        for block in tower.blocks:
            # A bound method survives a deep copy of the block: it is bound to the copy then.
            block.__dict__["forward"] = MethodType(_checkpointed, block)
        return
    root = tower.modules[0]
    # open_clip's adapter hides the refusal of a timm trunk behind a line in the log.
    trunk = getattr(root, "trunk", root)
    switch = getattr(trunk, "set_grad_checkpointing", None)
    if switch is None:
        raise ConfigError(
            f"towers.{tower.name}.gradient_checkpointing: {type(trunk).__name__} repeats no "
            "blocks; switch it off"
        )
    try:
        switch(enable=True)
    except (AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"towers.{tower.name}.gradient_checkpointing: {type(trunk).__name__} cannot do it "
            f"({error}); switch it off"
        ) from error


def _checkpointed(block: nn.Module, *arguments: Any, **options: Any) -> Any:
    forward = type(block).forward
    if not (block.training and torch.is_grad_enabled()):
        return forward(block, *arguments, **options)
    return checkpoint(forward, block, *arguments, use_reentrant=False, **options)


def _refuse_counting_batch_norm(tower: Tower) -> None:
    if any(has_batch_norm(module) for module in tower.modules):
        raise ConfigError(
            f"towers.{tower.name}.gradient_checkpointing would count the statistics of batch norm "
            f"twice a step; set towers.{tower.name}.freeze_batch_norm, or switch it off"
        )
