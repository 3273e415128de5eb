"""The symmetric cross-entropy of CLIP, for any targets.

# B = pairs of this rank, N = pairs of all ranks, T = rows of a tile
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.losses.targets import Targets
from training.losses.tiles import Logits, LogSums
from training.world import World


class SoftmaxObjective:
    """Mean cross-entropy of rows and columns of the logits against targets, in nats.

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3. Every target distribution, of a row or
    of a column, sums to the weight of its kind, so log-sum-exps count that often.
    """

    def __init__(self, logits: Logits, targets: Sequence[Targets], world: World) -> None:
        """Start with no tile seen."""
        self.denominator = 2.0 * len(logits.text_ND)
        self._targets, self._world = targets, world
        self._weight = sum(part.weight for part in targets)
        self._sums = LogSums(logits)
        self._pulled = torch.zeros((), dtype=torch.float64, device=logits.text_ND.device)
        self._row_B1, self._column_N = torch.empty(0), torch.empty(0)

    def see(self, logits_TN: Tensor, rows: slice) -> None:
        """Take in a tile of the forward pass."""
        self._sums.add(logits_TN)
        for part in self._targets:
            self._pulled += part.dot(logits_TN, rows)

    def total(self) -> Tensor:
        """Return this rank's share of the sum over rows and columns, a float64 scalar."""
        row_B, column_N = self._sums.rows(), self._sums.columns(self._world)
        first = self._world.rank * len(row_B)
        own = column_N[first : first + len(row_B)].sum()
        dtype = self._sums.dtype
        self._row_B1, self._column_N = row_B.to(dtype)[:, None], column_N.to(dtype)
        return self._weight * (row_B.sum() + own) - self._pulled

    def gradient(self, logits_TN: Tensor, rows: slice) -> Tensor:
        """Return the gradient of the whole sum in a tile of logits, which is overwritten."""
        by_column_TN = (logits_TN - self._column_N).exp_()
        grad_TN = logits_TN.sub_(self._row_B1[rows]).exp_().add_(by_column_TN)
        if self._weight != 1:
            grad_TN.mul_(self._weight)
        for part in self._targets:
            part.subtract(grad_TN, rows)
        return grad_TN
