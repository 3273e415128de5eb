"""What each process of ``torchrun`` does in test_distributed.py; the reference runs it alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from core.types import IdArray
from tests.training.tiny import TinyDualEncoder, run_data, tiny_config
from training.config import RunConfig, TrainConfig
from training.data.batches import Batch
from training.data.tensor_data import TensorData
from training.distributed import joined_world
from training.run_values import RunData
from training.trainer import Trainer

CASES = ("plain", "chunks", "dropout", "sharded", "uneven")


class LeavesOneOut(TensorData):
    """Data that has lost pair 3, as a picture that cannot be read any more."""

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs that are left."""
        return super().batch(indices_B[indices_B != 3], epoch=epoch)


def config_of(case: str, *, ranks: int) -> TrainConfig:
    """Return the recipe of a case; chunks are as large as one of two ranks sees them."""
    config = tiny_config(epochs=2, batch_size=8)
    chunk = {"plain": 0, "chunks": 2, "dropout": 4 if ranks == 1 else 0}.get(case, 0)
    run = RunConfig(device="cpu", log_every_steps=1, chunk_size=chunk, shard=case == "sharded")
    return replace(config, run=run)


def model_of(case: str) -> nn.Module:
    """Return a model without batch statistics, which would depend on the rank."""
    model = TinyDualEncoder()
    model.norm = nn.Identity()  # type: ignore[assignment]
    model.dropout = nn.Dropout(0.3 if case == "dropout" else 0.0)
    return model


def data_of(case: str) -> RunData:
    """Return the training pairs of a case."""
    data = run_data()
    assert isinstance(data.train, TensorData)
    if case != "uneven":
        return data
    return RunData(LeavesOneOut(data.train.images, data.train.texts), data.heldout)


def main(folder: Path) -> None:
    """Train every case in a folder of its own."""
    torch.set_num_threads(1)
    with joined_world() as world:
        for case in CASES:
            config = config_of(case, ranks=world.size)
            Trainer(model_of(case), data_of(case), config, folder / case, world=world).fit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
