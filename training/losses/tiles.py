"""Logits of a batch, a few rows at a time, so that the whole matrix is never held.

# B = pairs of this rank, N = pairs of all ranks, T = rows of a tile, D = embedding dim
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from training.world import World


@dataclass(frozen=True, slots=True)
class Logits:
    """Scaled similarities of this rank's images with the texts of all ranks."""

    image_BD: Tensor
    """L2-normalised."""
    text_ND: Tensor
    """L2-normalised."""
    scale: Tensor
    """Inverse temperature, a scalar."""
    bias: Tensor | None
    """Added to every logit, a scalar."""
    tile_rows: int
    """T: rows computed at once."""

    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield (rows, logits_TN) for all rows; whoever gets the logits may overwrite them."""
        for rows in row_tiles(len(self.image_BD), self.tile_rows):
            yield rows, self.of(rows)

    def of(self, rows: slice) -> Tensor:
        """Return the (T, N) logits of some rows."""
        logits_TN = (self.scale * self.image_BD[rows]) @ self.text_ND.T
        return logits_TN if self.bias is None else logits_TN.add_(self.bias)


def row_tiles(count: int, tile_rows: int) -> Iterator[slice]:
    """Yield slices of at most ``tile_rows`` that cover ``count`` rows."""
    for start in range(0, count, tile_rows):
        yield slice(start, min(start + tile_rows, count))


class LogSums:
    """Log-sum-exp of every row and every column of the logits, from tiles.

    Running maxima are kept apart from the sums, so that a logit near 100 costs no digits.
    """

    def __init__(self, logits: Logits) -> None:
        """Start with no rows seen."""
        num_columns, like = len(logits.text_ND), logits.text_ND
        self._rows: list[Tensor] = []
        self._largest_N = torch.full_like(like[:, 0], -torch.inf)
        self._sums_N = like.new_zeros(num_columns)
        self.dtype = like.dtype
        """Type of the logits."""

    def add(self, logits_TN: Tensor) -> None:
        """Take in the next rows."""
        row_largest_T1 = logits_TN.amax(dim=1, keepdim=True)
        row_sums_T = (logits_TN - row_largest_T1).exp_().sum(dim=1)
        self._rows.append(_log_sum(row_largest_T1[:, 0], row_sums_T))
        largest_N = torch.maximum(self._largest_N, logits_TN.amax(dim=0))
        self._sums_N.mul_((self._largest_N - largest_N).exp_())
        self._sums_N.add_((logits_TN - largest_N).exp_().sum(dim=0))
        self._largest_N = largest_N

    def rows(self) -> Tensor:
        """Return the float64 log-sum-exp of this rank's rows over all columns, (B,)."""
        return torch.cat(self._rows)

    def columns(self, world: World) -> Tensor:
        """Return the float64 log-sum-exp of all columns over the rows of all ranks, (N,)."""
        columns_N = _log_sum(self._largest_N, self._sums_N)
        return world.gather(columns_N[None]).logsumexp(dim=0)


def _log_sum(largest: Tensor, sums: Tensor) -> Tensor:
    return largest.double() + sums.double().log()
