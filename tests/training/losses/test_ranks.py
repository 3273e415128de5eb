"""Several processes have the loss and the gradients of one process with the whole batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from tests.training.losses.ranks import CONFIGS, result_of, run_rank
from training.world import World

Results = list[dict[str, list[Tensor]]]

# In one worker, so that the processes are started once.
pytestmark = pytest.mark.xdist_group("ranks")


@pytest.fixture(scope="module", params=[2, 3])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Run all cases on as many gloo processes and return what each computed."""
    size: int = request.param
    folder: Path = tmp_path_factory.mktemp("ranks")
    spawn(run_rank, args=(size, folder), nprocs=size)
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_shares_of_ranks_add_up_to_the_whole_batch(results: Results, name: str) -> None:
    """Trap 7: losses and gradients of the scalars add up, those of embeddings are the rows' own."""
    losses, images, texts, scales, biases = zip(*(rank[name] for rank in results), strict=True)

    value, image_ND, text_ND, scale, bias = result_of(name, World.single(), len(results))

    torch.testing.assert_close(torch.stack(losses).sum(), value)
    torch.testing.assert_close(torch.cat(images), image_ND)
    torch.testing.assert_close(torch.cat(texts), text_ND)
    torch.testing.assert_close(torch.stack(scales).sum(), scale)
    torch.testing.assert_close(torch.stack(biases).sum(), bias)
