"""Where a run computes."""

from __future__ import annotations

from typing import Literal

import torch

from core.errors import TrainingError
from training.distributed import local_rank

Device = Literal["auto", "cpu", "cuda"]


def choose_device(device: Device) -> torch.device:
    """Return the device of a setting; ``auto`` takes CUDA where there is a device.

    Of several CUDA devices each process takes the one of its number on the machine.

    Raises:
        TrainingError: ``cuda`` was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise TrainingError("run.device = cuda, but torch sees no CUDA device; use auto or cpu")
    if not available or device == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", local_rank())


def graph_memory_bytes(device: torch.device, *, limit_mb: float) -> int:
    """Return how much memory the kept graphs of a chunked step may take.

    ``limit_mb`` 0 means: on CUDA half of what is free, since weights, optimiser state and the
    chunk that is computed need room too; on a CPU one graph.
    """
    if limit_mb:
        return int(limit_mb * 1e6)
    if device.type != "cuda":
        return 0
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return free_bytes // 2
