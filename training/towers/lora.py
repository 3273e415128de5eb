"""LoRA: small trained matrices on top of locked weights, and their exact merge.

The update is a parametrization of the weight itself, so it is in effect wherever the weight is
read, also where the layer's own ``forward`` is never called (the projections inside
``nn.MultiheadAttention``). In the state dict a weight ``W`` becomes
``parametrizations.W.original`` beside ``parametrizations.W.0.down`` and ``.up``.

# O = rows of a weight, I = its columns (input features), R = rank
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from open_clip.transformer import Attention
from torch import Tensor, nn
from torch.nn.utils import parametrize

from core.errors import ConfigError
from training.randomness import derived_seed
from training.towers.batch_norm import freeze_batch_norm
from training.towers.config import TowerConfig
from training.towers.locking import check_projection, freeze
from training.towers.parts import Tower

_ORIGINAL = re.compile(r"(^|\.)parametrizations\.(\w+)\.original$")
_ADDED = re.compile(r"(^|\.)parametrizations\.(\w+)\.0\.(up|down)$")
_ATTENTION = "att"


class LowRankUpdate(nn.Module):
    """Adds ``(alpha / R) * up_OR @ down_RI`` to a weight, in the weight's own precision.

    Source: Hu et al. 2021, arXiv:2106.09685, section 4.1.
    """

    def __init__(self, weight_OI: Tensor, config: TowerConfig, generator: torch.Generator) -> None:
        """Draw ``down`` from the generator; ``up`` is zero, so that nothing changes yet."""
        super().__init__()
        rows, columns = weight_OI.shape
        bound = 1 / math.sqrt(columns)
        down_RI = torch.empty(config.lora_rank, columns).uniform_(
            -bound, bound, generator=generator
        )
        self.down = nn.Parameter(down_RI.to(weight_OI))
        self.up = nn.Parameter(torch.zeros(rows, config.lora_rank).to(weight_OI))
        self.scale = config.lora_alpha / config.lora_rank
        self.dropout = nn.Dropout(config.lora_dropout)

    def forward(self, weight_OI: Tensor) -> Tensor:
        """Return the (O, I) weight with the update."""
        # Autocast would round the update to bfloat16, and the merged weight would be another one.
        with torch.autocast(weight_OI.device.type, enabled=False):
            down_RI = self.down
            if self.training and self.dropout.p:
                down_RI = down_RI * self.dropout(torch.ones_like(down_RI[0]))
            return self.added(weight_OI, self.up, down_RI)

    def added(self, weight_OI: Tensor, up_OR: Tensor, down_RI: Tensor) -> Tensor:
        """Return a weight with an update of this scale."""
        return weight_OI + self.scale * (up_OR @ down_RI)


def add_lora(tower: Tower, config: TowerConfig, *, seed: int) -> None:
    """Lock a tower and give its attention and MLP weights trained updates.

    Trainable are the updates, and as the settings say the projection, the biases and the norms.
    The model computes what it computed before, to the bit, until the first step.

    Raises:
        ConfigError: the tower has none of the wanted weights, or no projection to train.
    """
    check_projection(tower, wanted=config.train_projection)
    targets = list(_targets(tower, config))
    if not targets:
        raise ConfigError(
            f"towers.{tower.name}.mode = lora: the {tower.name} tower has no "
            f"{' or '.join(config.lora_targets)} weights; use full or locked"
        )
    awake = set(tower.projection) if config.train_projection else set()
    if config.lora_train_norms:
        awake |= {name for name, value in tower.parameters.items() if value.ndim < 2}  # noqa: PLR2004 - a vector
    freeze(tower, but=awake)
    for module in tower.modules:
        freeze_batch_norm(module)
    for number, (module, attribute) in enumerate(targets):
        weight_OI = getattr(module, attribute)
        generator = torch.Generator().manual_seed(derived_seed(f"lora-{tower.name}", seed, number))
        update = LowRankUpdate(weight_OI, config, generator)
        # "unsafe" skips a trial call, which would draw dropout from torch's own generator.
        parametrize.register_parametrization(module, attribute, update, unsafe=True)


def has_lora(model: nn.Module) -> bool:
    """Return whether any weight of a model carries an update."""
    return any(isinstance(module, LowRankUpdate) for module in model.modules())


def merge_lora(model: nn.Module) -> None:
    """Write all updates into their weights, which become plain parameters again, in place."""
    for module in list(model.modules()):
        for attribute in _updated(module):
            _update(module, attribute).eval()
            parametrize.remove_parametrizations(module, attribute, leave_parametrized=True)


@torch.no_grad()
def merged_state_dict(
    model: nn.Module, state: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Return a state dict with all updates merged, under exactly the names of the base model.

    Args:
        model: stays as it is.
        state: its state dict, for example of a checkpoint; ``None`` takes the present one. Without
            updates it is returned as it is.
    """
    state = model.state_dict() if state is None else state
    merged = {
        _ORIGINAL.sub(r"\1\2", name): value
        for name, value in state.items()
        if not _ADDED.search(name)
    }
    for prefix, module in model.named_modules():
        for attribute in _updated(module):
            name = f"{prefix}.parametrizations.{attribute}"
            merged[f"{prefix}.{attribute}"] = _update(module, attribute).added(
                state[f"{name}.original"], state[f"{name}.0.up"], state[f"{name}.0.down"]
            )
    return merged


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the trained parameters by name, detached: with LoRA, a small file's worth."""
    return {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}


def _updated(module: nn.Module) -> list[str]:
    """Return the attributes of a module that carry an update."""
    if not parametrize.is_parametrized(module):
        return []
    chains = cast("nn.ModuleDict", module.parametrizations)
    return [
        name
        for name, chain in chains.items()
        if isinstance(cast("nn.ModuleList", chain)[0], LowRankUpdate)
    ]


def _update(module: nn.Module, attribute: str) -> LowRankUpdate:
    chains = cast("nn.ModuleDict", module.parametrizations)
    return cast("LowRankUpdate", cast("nn.ModuleList", chains[attribute])[0])


def _targets(tower: Tower, config: TowerConfig) -> Iterator[tuple[nn.Module, str]]:
    """Yield (module, attribute) of the weights that get an update, in order of depth.

    What has attention in its path counts as attention, every other matrix of the layers as MLP.
    """
    layers = {id(value): name for layer in tower.layers for name, value in layer.items()}
    for root in tower.modules:
        for module in root.modules():
            for attribute in _matrices(module):
                name = layers.get(id(getattr(module, attribute)))
                if name is None:
                    continue
                kind = "attention" if _ATTENTION in name.lower() else "mlp"
                if kind in config.lora_targets:
                    yield module, attribute


def _matrices(module: nn.Module) -> tuple[str, ...]:
    if isinstance(module, nn.Linear):
        return ("weight",)
    if isinstance(module, nn.MultiheadAttention):
        names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return tuple(name for name in names if getattr(module, name) is not None)
    if isinstance(module, Attention):
        return ("in_proj_weight",)
    return ()
