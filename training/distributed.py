"""Several processes on one run, started by ``torchrun``: joining, leaving, adding up gradients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from core.errors import TrainingError
from training.world import World

_BUCKET_BYTES = 32 * 2**20
"""Gradients travel in buckets: one message each would cost a round trip per parameter."""
_TIMEOUT = dt.timedelta(minutes=30)
"""How long ranks wait for each other: the first one may be decoding pictures or writing a model."""


@contextmanager
def joined_world() -> Iterator[World]:
    """Join the processes that ``torchrun`` started, or be alone, and leave at the end.

    Raises:
        TrainingError: the processes cannot find each other.
    """
    if not dist.is_torchelastic_launched():
        yield World.single()
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(local_rank())
    try:
        dist.init_process_group(backend, timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"the processes of torchrun cannot join each other: {error}") from error
    try:
        yield World(rank=dist.get_rank(), size=dist.get_world_size())
    finally:
        dist.destroy_process_group()


def local_rank() -> int:
    """Return the number of this process on its machine, which is also that of its CUDA device."""
    return dist.get_node_local_rank(fallback_rank=0)


def sum_gradients(parameters: Iterable[nn.Parameter], world: World) -> None:
    """Replace each gradient by its sum over all ranks.

    Shares of the loss add up to the loss of the whole batch, and so do their gradients. A parameter
    without a gradient counts as zero, so that every rank sends the same buckets. Parameters that
    are split over the ranks have been added up in the backward pass.
    """
    if world.size == 1:
        return
    for bucket in _buckets(parameters):
        for parameter in bucket:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([_gradient(parameter).flatten() for parameter in bucket])
        dist.all_reduce(flat)
        sizes = [parameter.numel() for parameter in bucket]
        for parameter, part in zip(bucket, torch.split(flat, sizes), strict=True):
            _gradient(parameter).copy_(part.view_as(parameter))


def _buckets(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Yield trainable parameters in lists of one type and about the size of a bucket."""
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        if not parameter.requires_grad or isinstance(parameter, DTensor):
            continue
        full = size + parameter.nbytes > _BUCKET_BYTES
        if bucket and (full or parameter.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.nbytes
    if bucket:
        yield bucket


def _gradient(parameter: nn.Parameter) -> Tensor:
    gradient = parameter.grad
    assert gradient is not None, "filled above"
    return gradient
