"""Real processes that share a batch: what each of them computes, for test_ranks.py."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from tests.training.losses.naive import Case, backward, random_case
from training.data.batches import TeacherEmbeddings
from training.losses.config import LossConfig
from training.losses.contrastive import ContrastiveLoss
from training.world import World

PAIRS_PER_RANK = 5
CONFIGS = {
    "softmax": LossConfig(tile_rows=3, positives="own"),
    "several positives": LossConfig(tile_rows=3),
    "smoothed": LossConfig(tile_rows=3, label_smoothing=0.1),
    "distilled": LossConfig(tile_rows=3, distillation_weight=0.7),
    "matryoshka": LossConfig(tile_rows=3, matryoshka_dims=(2, 4), matryoshka_weights=(0.5, 2.0)),
    "sigmoid": LossConfig(tile_rows=3, kind="sigmoid", positives="own"),
    "sigmoid, several positives": LossConfig(tile_rows=3, kind="sigmoid"),
    "sigmoid, matryoshka": LossConfig(tile_rows=3, kind="sigmoid", matryoshka_dims=(3,)),
}


def result_of(name: str, world: World, num_ranks: int) -> list[Tensor]:
    """Return loss and gradients of one process, of its rows of the batch of ``num_ranks``."""
    count = num_ranks * PAIRS_PER_RANK
    first = world.rank * PAIRS_PER_RANK
    rows = slice(first, first + count // world.size)
    whole = random_case(count)
    image_NT, text_NT = random_case(count, 4, seed=5).unit()
    captions_N = torch.randint(0, count // 2, (count,), generator=torch.Generator().manual_seed(2))
    groups_NG = torch.stack([torch.arange(count), captions_N], dim=1)
    case = Case(whole.image_ND[rows], whole.text_ND[rows], whole.scale, whole.bias).fresh()
    value = backward(
        ContrastiveLoss(CONFIGS[name], world)(
            case.image_ND,
            case.text_ND,
            case.scale,
            logit_bias=case.bias,
            groups_BG=groups_NG[rows],
            teacher=TeacherEmbeddings(image_NT[rows].detach(), text_NT[rows].detach(), 30.0),
        )
    )
    return [value, *case.gradients()]


def run_rank(rank: int, size: int, folder: Path) -> None:
    """Join the others through a file, compute every case, and leave the results on disk."""
    torch.set_num_threads(1)
    store = (folder / "store").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=size)
    world = World(rank=rank, size=size)
    torch.save({name: result_of(name, world, size) for name in CONFIGS}, folder / f"{rank}.pt")
    dist.destroy_process_group()
