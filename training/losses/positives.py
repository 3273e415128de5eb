"""Which images and texts of a batch belong together.

# B = pairs of this rank, N = pairs of all ranks, G = kinds of identity (image, caption),
# T = rows of a tile, K = positives of a tile
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.tiles import row_tiles
from training.world import World


class Positives:
    """The (row, column) pairs that share an identity, found by sorting, never by an (N, N) mask."""

    def __init__(self, groups_BG: Tensor, world: World) -> None:
        """Take the identities of this rank's pairs and gather those of the others.

        Pairs equal in any column of ``groups_BG`` belong together.
        """
        groups_NG = world.gather(groups_BG)
        self._groups_BG, self._groups_NG = groups_BG, groups_NG
        self._world = world
        self._orders, self._first, self._counts = [], [], []
        for groups_B, groups_N in zip(groups_BG.T, groups_NG.T, strict=True):
            sorted_N, order_N = groups_N.contiguous().sort()
            first_B = torch.searchsorted(sorted_N, groups_B.contiguous())
            after_B = torch.searchsorted(sorted_N, groups_B.contiguous(), right=True)
            self._orders.append(order_N)
            self._first.append(first_B)
            self._counts.append(after_B - first_B)

    @classmethod
    def own(cls, count: int, world: World, *, device: torch.device) -> Positives:
        """Return the positives of ``count`` pairs a rank of which no two belong together."""
        first = world.rank * count
        return cls(torch.arange(first, first + count, device=device)[:, None], world)

    def of(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Return the positives of some rows: rows counted within the tile (K,), columns (K,)."""
        found = [self._by_kind(kind, rows) for kind in range(len(self._orders))]
        row_K = torch.cat([rows_of_kind for rows_of_kind, _ in found])
        column_K = torch.cat([columns_of_kind for _, columns_of_kind in found])
        return row_K, column_K

    def counts(self, tile_rows: int) -> Tensor:
        """Return how many positives each pair of this rank has, itself included, (B,)."""
        tiles = row_tiles(len(self._groups_BG), tile_rows)
        counts = [
            torch.bincount(self.of(rows)[0], minlength=rows.stop - rows.start) for rows in tiles
        ]
        return torch.cat(counts)

    def _by_kind(self, kind: int, rows: slice) -> tuple[Tensor, Tensor]:
        """Return the positives that one kind of identity makes and no earlier kind has made."""
        counts_T = self._counts[kind][rows]
        row_K = torch.repeat_interleave(counts_T)
        start_T = self._first[kind][rows] - (counts_T.cumsum(0) - counts_T)
        column_K = self._orders[kind][
            start_T[row_K] + torch.arange(len(row_K), device=row_K.device)
        ]
        earlier_KG = self._groups_BG[rows, :kind][row_K] == self._groups_NG[column_K, :kind]
        new_K = ~earlier_KG.any(dim=1)
        return row_K[new_K], column_K[new_K]
