"""The processes of a run: one, or several that each hold a part of every batch.

A rank computes its share of the loss, and shares add up: the sum over ranks of the losses, and of
the gradients, is what one process would get with the whole batch.

# B = rows of this rank, N = rows of all ranks
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class World:
    """Which process this is, of how many; every rank calls the same methods in the same order."""

    rank: int
    """Number of this process, from 0."""
    size: int
    """Number of processes."""

    @classmethod
    def single(cls) -> World:
        """Return the world of a run without other processes."""
        return cls(rank=0, size=1)

    @property
    def is_first(self) -> bool:
        """Return whether this process is the one that writes files and prints."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows (B, ...) of all ranks in rank order, (N, ...), without a gradient.

        Every rank gives the same number of rows.
        """
        if self.size == 1:
            return rows.detach()
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)

    def gather_with_grad(self, rows: Tensor) -> Tensor:
        """Return the rows of all ranks; each rank's rows get the sum of all ranks' gradients."""
        if self.size == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows, self)
        return gathered

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over all ranks, without a gradient."""
        if self.size == 1:
            return value.detach()
        total = value.detach().clone()
        dist.all_reduce(total)
        return total

    def part(self, count: int) -> slice:
        """Return which of ``count`` rows of a batch are this rank's; a remainder is left out."""
        each = count // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def agree(self, count: int, *, stopping: bool, device: torch.device) -> tuple[int, bool]:
        """Return the smallest count of all ranks, and whether any of them wants to stop."""
        if self.size == 1:
            return count, stopping
        values = torch.tensor([count, -int(stopping)], device=device)
        dist.all_reduce(values, dist.ReduceOp.MIN)
        fewest, stop = values.tolist()
        return int(fewest), stop < 0

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """Let the first rank through the block, then the others."""
        if not self.is_first:
            self.barrier()
        yield
        if self.is_first:
            self.barrier()

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.size > 1:
            dist.barrier()


class _Gather(torch.autograd.Function):
    """The rows of all ranks, with the sum of their gradients on the way back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, world: World) -> Tensor:
        """Return the rows (N, ...)."""
        ctx.world, ctx.count = world, len(rows)
        return world.gather(rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of this rank's rows (B, ...)."""
        total, first = ctx.world.sum(grad), ctx.world.rank * ctx.count
        return total[first : first + ctx.count], None
