"""Locked towers: their bytes stay as they are, and no call of ``model.train()`` wakes them."""

from __future__ import annotations

from collections.abc import Iterable
from types import MethodType

from torch import nn

from core.errors import ConfigError
from training.towers.batch_norm import freeze_batch_norm
from training.towers.parts import Tower


def lock_tower(tower: Tower, *, unlocked_layers: int = 0, train_projection: bool = False) -> None:
    """Freeze a tower but for its last layers, and put what is frozen to sleep for good.

    What sleeps is in evaluation mode whatever ``train()`` says: no dropout, no patch dropout, no
    new statistics of batch norm. With unlocked layers the projection above them trains too.

    Raises:
        ConfigError: more unlocked layers than there are, or a projection that is not there.
    """
    check_projection(tower, wanted=train_projection)
    if unlocked_layers > len(tower.layers):
        raise ConfigError(
            f"towers.{tower.name}.unlocked_layers = {unlocked_layers}: the tower has "
            f"{len(tower.layers)} layers, the stem included"
        )
    awake = {
        name for layer in tower.layers[len(tower.layers) - unlocked_layers :] for name in layer
    }
    if train_projection or unlocked_layers:
        awake |= tower.projection.keys()
    freeze(tower, but=awake)
    _sleep_where_frozen(tower.modules)


def freeze(tower: Tower, *, but: set[str]) -> None:
    """Switch off the gradient of all parameters but these; what was off before stays off."""
    for name, parameter in tower.parameters.items():
        if name not in but:
            parameter.requires_grad = False


def keep_asleep(module: nn.Module) -> None:
    """Put a module into evaluation mode and let no later ``train()`` take it out."""
    # A bound method survives a deep copy of the module: it is bound to the copy then.
    module.__dict__["train"] = MethodType(_stay_asleep, module)
    module.eval()
    freeze_batch_norm(module)


def check_projection(tower: Tower, *, wanted: bool) -> None:
    """Refuse to train a projection that a tower does not have.

    Raises:
        ConfigError: it is wanted and there is none.
    """
    if wanted and not tower.projection:
        raise ConfigError(
            f"towers.{tower.name}.train_projection is set, but this {tower.name} tower ends "
            "without a projection; unlock its last layer instead"
        )


def _stay_asleep(module: nn.Module, mode: bool = True) -> nn.Module:  # noqa: FBT001, FBT002 - torch's signature
    del mode
    return type(module).train(module, mode=False)


def _sleep_where_frozen(modules: Iterable[nn.Module]) -> None:
    """Put every outermost frozen module to sleep.

    A module without parameters, such as dropout, follows the module before it; the first ones of
    a tower are at the locked end.
    """
    asleep = True
    for module in modules:
        if any(True for _ in module.parameters()):
            asleep = not _trains(module)
        if asleep:
            keep_asleep(module)
        elif any(not value.requires_grad for value in module.parameters()):
            _sleep_where_frozen(module.children())


def _trains(module: nn.Module) -> bool:
    return any(value.requires_grad for value in module.parameters())
