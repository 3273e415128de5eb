"""Runs that are killed with SIGKILL again and again, for test_kill.py.

The process forks a child for each attempt, so that torch is imported once. A child kills itself
after an update, or inside the writing of a checkpoint, half of a file being there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from core.progress import SilentProgress
from tests.training.tiny import write_shapes
from training import checkpoint
from training.config import RunConfig, TrainConfig
from training.data.config import DataConfig
from training.optimiser import OptimiserConfig
from training.run import TrainRequest, run_training
from training.schedule import ScheduleConfig
from training.towers.open_clip_model import ModelConfig

DEATHS = 20
NEVER = 10**6
ARCHITECTURE: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {
        "timm_model_name": "test_convnext",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "",
        "timm_drop": 0.2,
        "image_size": 32,
    },
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
"""With dropout, so that a step depends on what torch draws."""


class KillsItself(SilentProgress):
    """A progress display that ends the process after some updates."""

    def __init__(self, *, after: int) -> None:
        """Count down from ``after``."""
        self._left = after

    def __call__(self, title: str, *, total: int | None, unit: str, initial: int = 0) -> Self:
        """Be the factory of itself."""
        return self

    def advance(self, count: int = 1, **fields: str | float) -> None:
        """Die at the last count; only the training shows fields."""
        if fields:
            self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def request_of(pairs: Path, folder: Path, *, workers: int, resume: bool) -> TrainRequest:
    """Return a run of 60 steps with augmentation, dropout and two captions a picture."""
    config = TrainConfig(
        data=DataConfig(batch_size=7, workers=workers),
        model=ModelConfig(architecture=ARCHITECTURE),
        optimiser=OptimiserConfig(learning_rate=3e-3),
        schedule=ScheduleConfig(epochs=12),
        run=RunConfig(device="cpu", threads=1, checkpoint_every_steps=3, log_every_steps=1),
    )
    return TrainRequest(data=[pairs], heldout=None, config=config, folder=folder, resume=resume)


def lives(train: Callable[[], object]) -> bool:
    """Run ``train`` in a child process; return whether it lived to the end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            train()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return True


def die_inside_a_checkpoint(*, after: int) -> None:
    """Make the writing of a file of a checkpoint kill the process, ``after`` files from now."""
    left, save = after, checkpoint.save_file

    def save_or_die(tensors: dict[str, torch.Tensor], path: Path) -> None:
        nonlocal left
        left -= 1
        save(tensors, path)
        if left < 0:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save_file = save_or_die


def train_and_die(request: TrainRequest, *, patience: int, writing: bool) -> None:
    """Train until ``patience`` runs out: in updates, or in files of a checkpoint."""
    if writing:
        die_inside_a_checkpoint(after=patience % 2)
    run_training(request, progress=KillsItself(after=NEVER if writing else patience))


def main(folder: Path) -> None:
    """Train once in peace and once with many deaths, with changing numbers of workers."""
    torch.set_num_threads(1)
    pairs = write_shapes(folder / "shapes", per_kind=4, seed=0)
    whole = request_of(pairs, folder / "whole", workers=0, resume=False)
    assert lives(lambda: run_training(whole))
    rng = np.random.default_rng(0)
    killed = folder / "killed"
    for death in range(DEATHS):
        resume = bool(checkpoint.list_checkpoints(killed / "checkpoints"))
        request = request_of(pairs, killed, workers=int(rng.integers(3)), resume=resume)
        patience = int(rng.integers(6))
        dying = partial(train_and_die, request, patience=patience, writing=death % 5 == 4)
        assert not lives(dying)
    last = request_of(pairs, killed, workers=2, resume=True)
    assert lives(lambda: run_training(last))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
