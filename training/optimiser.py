"""AdamW with the parameter groups of contrastive training: decayed or not, each with its rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import TrainingError
from training.ranges import check_positive, check_range
from training.towers.config import TowerConfig, TowersConfig
from training.towers.parts import Tower, tower_parts

NO_DECAY_NAMES = frozenset(
    {
        "logit_scale",
        "logit_bias",
        "head_scale",
        "positional_embedding",
        "class_embedding",
        "cls_emb",
        "pos_embed",
        "cls_token",
        "reg_token",
        "dist_token",
        "position_embeddings",
        "relative_attention_bias",
        "relative_position_bias_table",
    }
)
"""Parameters that are scales, offsets or places whatever their shape: open_clip's names, timm's,
then those of Hugging Face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """AdamW and its limits."""

    learning_rate: float = 5e-4
    """Peak learning rate; 5e-4 is what CLIP used for ViT-B/32 from scratch. Fine-tune at 1e-5."""
    beta1: float = 0.9
    """Decay of the running mean of the gradient, per step."""
    beta2: float = 0.98
    """Decay of the running mean of its square, per step; CLIP's value for transformers."""
    eps: float = 1e-6
    """Added to the root of the second moment; CLIP's value for transformers."""
    weight_decay: float = 0.2
    """Decoupled decay of weight matrices, times the learning rate; CLIP's value."""
    max_grad_norm: float = 1.0
    """L2 norm of all gradients together above which they are scaled down; 0 switches it off."""

    def __post_init__(self) -> None:
        """Refuse values with which AdamW cannot work."""
        check_positive("optimiser.learning_rate", self.learning_rate)
        check_range("optimiser.beta1", self.beta1, low=0, high=0.99999)
        check_range("optimiser.beta2", self.beta2, low=0, high=0.99999)
        check_positive("optimiser.eps", self.eps)
        check_range("optimiser.weight_decay", self.weight_decay, low=0)
        check_range("optimiser.max_grad_norm", self.max_grad_norm, low=0)


def is_decayed(name: str, parameter: Tensor) -> bool:
    """Return whether weight decay applies to a parameter.

    Vectors and scalars (biases, norms, temperature) and the learned position and class embeddings
    are scales and offsets: shrinking them shrinks no function, it only fights the loss.
    """
    if parameter.ndim < 2:  # noqa: PLR2004 - the number of axes of a matrix
        return False
    return NO_DECAY_NAMES.isdisjoint(name.split("."))


def learning_rate_scales(model: nn.Module, towers: TowersConfig) -> dict[str, float]:
    """Return, for every parameter, the factor on the run's learning rate.

    In a tower of n layers and a projection, with scale s and decay d, the projection has s, the
    last layer s d, the stem s d^n; without a projection the last layer has s. What belongs to no
    tower has 1.

    Source: Bao et al. 2021 (BEiT), arXiv:2106.08254, appendix, layer-wise decay.
    """
    parts = tower_parts(model)
    scales = dict.fromkeys(parts.rest, 1.0)
    for name, config in towers.items():
        if name in parts.towers:
            scales |= _tower_scales(parts.towers[name], config)
        elif config.learning_rate_scale != 1 or config.layer_decay != 1:
            parts.tower(name)
    return scales


def parameter_groups(
    named_parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    weight_decay: float,
    scales: Mapping[str, float] | None = None,
) -> list[dict[str, object]]:
    """Split the trainable parameters by decay and by learning-rate scale (1 if not named).

    Each group carries ``param_names`` in the order of its parameters, for checkpoints, and its
    ``learning_rate_scale``. Layers with the same of both share a group: fewer, larger updates.

    Raises:
        TrainingError: nothing is trainable.
    """
    scales = scales or {}
    groups: dict[tuple[float, bool], dict[str, nn.Parameter]] = {}
    for name, value in named_parameters:
        if value.requires_grad:
            key = (scales.get(name, 1.0), is_decayed(name, value))
            groups.setdefault(key, {})[name] = value
    if not groups:
        raise TrainingError("the model has no trainable parameter; unlock at least one tower")
    return [
        {
            "params": list(groups[key].values()),
            "param_names": list(groups[key]),
            "weight_decay": weight_decay if key[1] else 0.0,
            "learning_rate_scale": key[0],
        }
        for key in sorted(groups, reverse=True)
    ]


def build_optimiser(
    model: nn.Module, config: OptimiserConfig, towers: TowersConfig | None = None
) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters of ``model``.

    Raises:
        TrainingError: nothing is trainable.
        ConfigError: a tower has its own learning rate, and the model's towers cannot be told.
    """
    groups = parameter_groups(
        model.named_parameters(),
        weight_decay=config.weight_decay,
        scales=learning_rate_scales(model, towers or TowersConfig()),
    )
    optimiser = torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        fused=True,
    )
    set_learning_rate(optimiser, config.learning_rate)
    return optimiser


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give every parameter group the learning rate of the coming step, times its own scale."""
    for group in optimiser.param_groups:
        # A plain float: checkpoints of NumPy scalars cannot be loaded without pickle.
        group["lr"] = float(learning_rate) * group.get("learning_rate_scale", 1.0)


def _tower_scales(tower: Tower, config: TowerConfig) -> dict[str, float]:
    steps = [*tower.layers, *([tower.projection] if tower.projection else [])]
    return {
        name: config.learning_rate_scale * config.layer_decay ** (len(steps) - number)
        for number, layer in enumerate(steps, start=1)
        for name in layer
    }
