"""Rules of tiles and of sums over them."""

from __future__ import annotations

import pytest
import torch

from training.losses.tiles import Logits, LogSums, row_tiles
from training.world import World


def logits(*, scale: float, tile_rows: int) -> Logits:
    """Return logits of random embeddings that are not normalised."""
    image_BD, text_ND = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    return Logits(image_BD, text_ND, torch.tensor(scale), torch.tensor(-2.0), tile_rows)


def test_tiles_cover_all_rows_once() -> None:
    """The last tile is smaller where the rows do not divide."""
    assert list(row_tiles(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]


@pytest.mark.parametrize("tile_rows", [1, 3, 7, 9])
def test_tiles_are_rows_of_the_matrix(tile_rows: int) -> None:
    """Scale times similarity plus bias."""
    ours = logits(scale=3.0, tile_rows=tile_rows)

    whole = torch.cat([tile for _, tile in ours.tiles()])

    torch.testing.assert_close(whole, 3.0 * ours.image_BD @ ours.text_ND.T - 2.0)


@pytest.mark.parametrize("tile_rows", [1, 3, 7])
@pytest.mark.parametrize("scale", [0.1, 1000.0])
def test_log_sums_equal_torch_s(scale: float, tile_rows: int) -> None:
    """Rows and columns, also where exp() of a logit would overflow."""
    ours = logits(scale=scale, tile_rows=tile_rows)
    sums = LogSums(ours)
    for _, logits_TN in ours.tiles():
        sums.add(logits_TN)

    whole_BN = ours.of(slice(None)).double()
    torch.testing.assert_close(sums.rows(), whole_BN.logsumexp(dim=1), rtol=1e-6, atol=1e-6)
    columns_N = sums.columns(World.single())
    torch.testing.assert_close(columns_N, whole_BN.logsumexp(dim=0), rtol=1e-6, atol=1e-6)
