"""Rules of positives: which cells of the matrix belong together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.training.losses.naive import shared
from training.losses.positives import Positives
from training.losses.tiles import row_tiles
from training.world import World

GROUPS = {
    "distinct": torch.arange(7)[:, None],
    "all the same": torch.zeros(7, 1, dtype=torch.int64),
    "shared, not transitive": torch.tensor(
        [[0, 0], [1, 0], [1, 1], [2, 3], [4, 4], [5, 4], [-9, 4]]
    ),
    "equal in both columns": torch.tensor([[0, 5], [0, 5], [1, 5], [1, 6], [2, 6], [2, 6], [3, 7]]),
    "three kinds": torch.randint(
        0, 4, (7, 3), generator=torch.Generator().manual_seed(0), dtype=torch.int64
    ),
}


def mask_of(positives: Positives, count: int, tile_rows: int) -> Tensor:
    """Return how often each cell is named."""
    named = torch.zeros(count, count, dtype=torch.int64)
    for rows in row_tiles(count, tile_rows):
        row_K, column_K = positives.of(rows)
        named.index_put_((row_K + rows.start, column_K), torch.tensor(1), accumulate=True)
    return named


@pytest.mark.parametrize("tile_rows", [1, 3, 7, 20])
@pytest.mark.parametrize("name", GROUPS)
def test_every_shared_identity_is_found_once(name: str, tile_rows: int) -> None:
    """The cells are those of the naive mask, each named once."""
    groups_NG = GROUPS[name]

    positives = Positives(groups_NG, World.single())

    assert torch.equal(mask_of(positives, 7, tile_rows), shared(groups_NG).long())
    assert torch.equal(positives.counts(tile_rows), shared(groups_NG).sum(dim=1))


def test_own_positives_are_the_diagonal() -> None:
    """Only the two sides of a pair belong together."""
    positives = Positives.own(5, World.single(), device=torch.device("cpu"))

    assert torch.equal(mask_of(positives, 5, 2), torch.eye(5, dtype=torch.int64))
