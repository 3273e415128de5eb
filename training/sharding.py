"""Weights, gradients and optimiser state split over the processes of a run (FSDP2).

Each rank holds a part of every tensor; a block of a tower is gathered when it computes and let go
afterwards. What is computed is the same as on one process, in another order of summation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from training.towers.forward import TwoTowers
from training.world import World


def shard(towers: TwoTowers, world: World, *, device: torch.device) -> None:
    """Split the parameters of both towers over the ranks, block by block, in place.

    The temperature and the bias stay whole on every rank: a tensor without axes has no parts.
    """
    # Every rank must gather a block equally often, however its texts are long.
    towers.splits_texts = False
    mesh = init_device_mesh(device.type, (world.size,))
    for block in blocks_of(towers):
        _sum_gradients(fully_shard(block, mesh=mesh))
    root = fully_shard(towers, mesh=mesh, ignored_params=set(scalars_of(towers)))
    _sum_gradients(root)
    for method in ("images", "texts"):
        register_fsdp_forward_method(towers, method)


def blocks_of(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the repeated layers of a module, outermost ones only.

    A layer counts as repeated if it has parameters and a list of the module holds another one of
    its class: the blocks of transformers and the stages of convolutional towers.
    """
    is_list = isinstance(module, nn.ModuleList | nn.Sequential)
    children = list(module.children())
    classes = [type(child) for child in children]
    for child in children:
        repeated = is_list and classes.count(type(child)) > 1
        if repeated and next(child.parameters(), None) is not None:
            yield child
        else:
            yield from blocks_of(child)


def scalars_of(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters without axes."""
    return [parameter for parameter in module.parameters() if parameter.ndim == 0]


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor with the parts of all ranks; every rank must ask at the same time."""
    if not isinstance(tensor, DTensor):
        return tensor.detach()
    full: Tensor = tensor.full_tensor()
    return full.detach()


def part_of(value: Tensor, *, like: Tensor) -> Tensor:
    """Return this rank's part of a whole tensor, split as ``like`` is."""
    value = value.to(like.device)
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value, like.device_mesh, like.placements)


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale the gradients down to the L2 norm ``max_norm`` (0: leave them), in place.

    Returns the norm of all gradients together, before.
    """
    trained = [parameter for parameter in parameters if parameter.grad is not None]
    sharded: list[nn.Parameter] = [one for one in trained if isinstance(one, DTensor)]
    plain = [parameter for parameter in trained if not isinstance(parameter, DTensor)]
    parts = [_norm(part) for part in (plain, sharded) if part]
    total = parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts))
    if max_norm:
        for part in (plain, sharded):
            nn.utils.clip_grads_with_norm_(part, max_norm, total)
    return total.item()


def _norm(parameters: list[nn.Parameter]) -> Tensor:
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return whole(nn.utils.get_total_norm(gradients))


def _sum_gradients(module: FSDPModule) -> None:
    # Shares of the loss add up; FSDP would take the mean over the ranks.
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(enable=True)
